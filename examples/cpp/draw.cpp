// draw FILE.onnx CAPTION OUT.png [SEED]
#include <iostream>

#include "t2i.hpp"

int main(int count, char** words) try {
  if (count < 4 || count > 5) {
    std::cerr << "error: a model, a caption and a file to write are needed\n hint: draw birds.onnx \"a red bird\" bird.png [SEED]\n";
    return 2;
  }
  t2i::Painter painter(words[1]);
  const auto picture = painter.draw(words[2], count > 4 ? t2i::seed_of(words[4]) : 0);
  if (picture.unknown) std::cerr << "warning: " << picture.unknown << " unknown words\n";
  t2i::save(picture, words[3]);
  std::cout << "wrote " << words[3] << '\n';
} catch (const t2i::Error& error) {
  std::cerr << "error: " << error.what() << "\n hint: " << error.hint() << '\n';
  return 1;
} catch (const std::logic_error&) {
  std::cerr << "error: the seed is no number\n hint: leave it out, or pass one from 0 on\n";
  return 2;
}
