// bundle FOLDER.t2i CAPTION OUT.png [SEED]
//
// What a host does for a bundle, step by step, for programs that want to do one of the steps
// otherwise. It reads bundles with a vocabulary of words; `t2i-export --single-file` does all this
// inside the graph, for all kinds. Sizes are compared with the manifest, hashes are not.
#include <cmath>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "t2i.hpp"

namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

const char* const kAgain = "get the bundle again from where it came, or export it again";
constexpr double kPi = 3.14159265358979323846;

json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw t2i::Error(path.string() + " cannot be read", "pass the folder of a bundle");
  return json::parse(file);
}

std::string graph_file(const std::filesystem::path& folder, const json& manifest,
                       const std::string& role) {
  for (const auto& graph : manifest.at("graphs")) {
    if (graph.at("role") != role) continue;
    const auto path = folder / (role + ".onnx");
    std::error_code missing;
    const auto size = std::filesystem::file_size(path, missing);
    if (missing || size != graph.at("bytes").get<std::uintmax_t>())
      throw t2i::Error(path.string() + " is not the file that was published", kAgain);
    return path.string();
  }
  throw t2i::Error("the bundle has no graph '" + role + "'", "take one that draws captions");
}

// Words are [a-z0-9_]+ in lower case; all other bytes part them.
Strings words_of(const std::string& caption) {
  Strings words;
  bool inside = false;
  for (const char each : caption) {
    const char byte = each >= 'A' && each <= 'Z' ? static_cast<char>(each - 'A' + 'a') : each;
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
    if (letter && !inside) words.emplace_back();
    if (letter) words.back() += byte;
    inside = letter;
  }
  return words;
}

std::vector<std::int64_t> tokens_of(const std::string& caption, const json& tokenizer,
                                    const json& text) {
  const auto& rule = tokenizer.at("pre_tokenizer");
  if (tokenizer.at("model").at("type") != "WordLevel" || !rule.is_object() ||
      rule.at("pattern").at("Regex") != "[^a-z0-9_]+")
    throw t2i::Error("the bundle does not read words", "make a single file of it, and use draw");
  const auto& vocabulary = tokenizer.at("model").at("vocab");
  const auto length = text.at("length").get<std::size_t>();
  std::vector<std::int64_t> tokens;
  Strings unknown;
  bool known = false;
  for (const auto& word : words_of(caption)) {
    if (tokens.size() == length) {
      std::cerr << "warning: the caption is cut after " << length << " words\n";
      break;
    }
    const auto found = vocabulary.find(word);
    if (found == vocabulary.end()) unknown.push_back(word);
    else known = true;
    if (found != vocabulary.end()) tokens.push_back(found->get<std::int64_t>());
    else if (text.at("unknown") == "keep") tokens.push_back(vocabulary.at("<unk>"));
  }
  for (const auto& word : unknown) std::cerr << "warning: unknown word " << word << '\n';
  if (!known) throw t2i::Error("nothing of the caption is known", "use words of tokenizer.json");
  return tokens;
}

// MurmurHash3 (x86, 32 bits) of a counter as eight bytes, brought into (0, 1).
double unit(std::uint64_t counter, std::uint32_t hash) {
  const auto rotate = [](std::uint32_t value, int by) { return value << by | value >> (32 - by); };
  for (int shift : {0, 32}) {
    const auto block = static_cast<std::uint32_t>(counter >> shift) * 0xCC9E2D51u;
    hash = rotate(hash ^ rotate(block, 15) * 0x1B873593u, 13) * 5 + 0xE6546B64u;
  }
  hash ^= 8;
  hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
  hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
  return ((hash ^ hash >> 16) + 0.5) / 4294967296.0;
}

float draw_noise(std::uint64_t counter, const std::string& distribution) {
  const double first = unit(counter, 0);
  if (distribution == "uniform") return static_cast<float>(2.0 * first - 1.0);
  const double angle = 2.0 * kPi * unit(counter, 1);
  return static_cast<float>(std::sqrt(-2.0 * std::log(first)) * std::cos(angle));
}

// All noises of a picture, by name; their dimensions are numbered through in the manifest's order.
std::map<std::string, std::vector<float>> noises_of(const json& manifest, std::int64_t seed) {
  std::map<std::string, std::vector<float>> noises;
  auto counter = static_cast<std::uint64_t>(seed) << 24;
  for (const auto& each : manifest.at("noise")) {
    std::size_t size = 1;
    for (const auto& axis : each.at("shape")) {
      size *= axis.get<std::size_t>();
      if (size > std::size_t{1} << 24) throw t2i::Error("the bundle draws too much noise", kAgain);
    }
    auto& values = noises[each.at("name")];
    for (std::size_t i = 0; i < size; ++i)
      values.push_back(draw_noise(counter++, each.at("distribution")));
  }
  return noises;
}

// From [-1, 1], plane by plane, to 0 ... 255, pixel by pixel.
t2i::Picture pixels_of(const Ort::Value& image, bool rounds) {
  const auto shape = image.GetTensorTypeAndShapeInfo().GetShape();
  if (shape.size() != 4 || shape[1] != 3) throw t2i::Error("the bundle draws no picture", kAgain);
  t2i::Picture picture{shape[3], shape[2], {}};
  const auto* values = image.GetTensorData<float>();
  const auto plane = static_cast<std::size_t>(shape[2] * shape[3]);
  for (std::size_t at = 0; at < 3 * plane; ++at) {
    const float value = values[at % 3 * plane + at / 3];
    if (!std::isfinite(value)) throw t2i::Error("the bundle computed what is no number", kAgain);
    const float level = std::clamp((value + 1.0f) * 127.5f, 0.0f, 255.0f);
    picture.rgb.push_back(static_cast<std::uint8_t>(rounds ? std::nearbyint(level) : level));
  }
  return picture;
}

t2i::Picture draw(const std::filesystem::path& folder, const std::string& caption,
                  std::int64_t seed) {
  const json manifest = read_json(folder / "manifest.json");
  if (manifest.at("schema") != 1)
    throw t2i::Error("the bundle is not of schema 1", "take a newer version of this program");
  if (manifest.at("pipeline") != "gan" || manifest.at("condition") != "caption")
    throw t2i::Error("the bundle draws no captions", "take one that does: see t2i-run --list");
  t2i::refuse_seed(seed, 1);
  auto tokens =
      tokens_of(t2i::checked(caption), read_json(folder / "tokenizer.json"), manifest.at("text"));
  auto noises = noises_of(manifest, seed);

  t2i::Graph text(graph_file(folder, manifest, "text"), 1);
  t2i::Graph generator(graph_file(folder, manifest, "generator"), 0);
  std::vector<const char*> wanted;  // of what the text graph tells
  for (const auto& name : text.outputs)
    if (t2i::Graph::has(generator.inputs, name)) wanted.push_back(name.c_str());
  std::vector<Ort::Value> read;
  read.push_back(t2i::tensor(tokens, {1, static_cast<std::int64_t>(tokens.size())}));
  auto values = text.run({"tokens"}, read, wanted);
  for (const auto& each : manifest.at("noise")) {
    auto found = noises.find(each.at("name"));
    std::vector<std::int64_t> shape{1};
    for (const auto& axis : each.at("shape")) shape.push_back(axis);
    wanted.push_back(found->first.c_str());
    values.push_back(t2i::tensor(found->second, shape));
  }
  return pixels_of(generator.run(wanted, values, {"image"})[0], manifest.at("pixels") == "round");
}

}  // namespace

int main(int count, char** words) try {
  if (count < 4 || count > 5) {
    std::cerr << "error: a model, a caption and a file to write are needed\n hint: bundle birds.t2i \"a red bird\" bird.png [SEED]\n";
    return 2;
  }
  t2i::save(draw(words[1], words[2], count > 4 ? t2i::seed_of(words[4]) : 0), words[3]);
  std::cout << "wrote " << words[3] << '\n';
} catch (const t2i::Error& error) {
  std::cerr << "error: " << error.what() << "\n hint: " << error.hint() << '\n';
  return 1;
} catch (const nlohmann::json::exception& error) {
  std::cerr << "error: the bundle is damaged: " << error.what() << "\n hint: " << kAgain << '\n';
  return 1;
} catch (const std::logic_error&) {
  std::cerr << "error: the seed is no number\n hint: leave it out, or pass one from 0 on\n";
  return 2;
}
