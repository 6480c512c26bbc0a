// Draws captions with one file of `t2i-export --single-file`. C++17, ONNX Runtime, and nothing else.
//
// ONNX Runtime is loaded when it is first needed, so a program is built from headers alone and runs
// with any library from 1.20 on. POSIX (Linux, macOS).
#pragma once

#define ORT_API_MANUAL_INIT
#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace t2i {

// What happened, and what to do about it.
class Error : public std::runtime_error {
 public:
  Error(const std::string& message, std::string hint)
      : std::runtime_error(message), hint_(std::move(hint)) {}
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::string hint_;
};

// A picture: rows of red, green and blue, 0 to 255.
struct Picture {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
  std::int64_t unknown = 0;  // words of the caption that could not be read
};

constexpr std::int64_t kSeeds = std::int64_t{1} << 38;
constexpr std::size_t kCaptionBytes = 1 << 16;

inline void refuse_seed(std::int64_t seed, std::size_t count) {
  if (seed < 0 || seed > kSeeds - static_cast<std::int64_t>(count))
    throw Error("seed " + std::to_string(seed) + " is out of range",
                "the seed of each picture (the first one plus its index) lies in 0 ... 2^38 - 1");
}

// A seed as it is typed; throws std::logic_error where it is no number.
inline std::int64_t seed_of(const std::string& text) {
  std::size_t end = 0;
  const auto seed = std::stoll(text, &end);
  if (end != text.size()) throw std::invalid_argument(text);
  return seed;
}

inline std::string checked(std::string caption) {
  if (caption.size() > kCaptionBytes)
    throw Error("a caption has " + std::to_string(caption.size()) + " bytes",
                "at most " + std::to_string(kCaptionBytes) + " are read: shorten it");
  std::replace(caption.begin(), caption.end(), '\0', ' ');  // ONNX Runtime reads up to a NUL
  return caption;
}

// ONNX Runtime, once for the whole program.
class Runtime {
 public:
  // `library` names libonnxruntime; empty for $T2I_ONNXRUNTIME, else where the system looks.
  static Ort::Env& start(const std::string& library = "") {
    static Runtime runtime(library);
    return *runtime.env_;
  }

 private:
  // The newest interface that is asked for: that of version 1.20.
  static constexpr std::uint32_t kInterface = 20;
  static_assert(ORT_API_VERSION >= kInterface, "the headers are older than ONNX Runtime 1.20");

  explicit Runtime(const std::string& library) {
    const char* chosen = std::getenv("T2I_ONNXRUNTIME");
    std::vector<std::string> names{"libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.dylib"};
    if (chosen && *chosen) names = {chosen};
    if (!library.empty()) names = {library};
    void* loaded = nullptr;
    for (const auto& name : names)
      if (!loaded) loaded = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!loaded)
      throw Error(std::string("ONNX Runtime cannot be loaded: ") + dlerror(),
                  "set T2I_ONNXRUNTIME to the path of libonnxruntime, version 1.20 or newer");
    using Base = const OrtApiBase* (*)();
    auto base = reinterpret_cast<Base>(dlsym(loaded, "OrtGetApiBase"));
    if (!base) throw Error(names.back() + " is no ONNX Runtime", "name another library");
    const OrtApi* api = base()->GetApi(kInterface);
    if (!api)
      throw Error(std::string("ONNX Runtime ") + base()->GetVersionString() + " is too old",
                  "take version 1.20 or newer");
    Ort::InitApi(api);
    env_.emplace(ORT_LOGGING_LEVEL_FATAL, "t2i");
  }

  std::optional<Ort::Env> env_;
};

// One graph, and the names of what goes in and comes out.
class Graph {
 public:
  Graph(const std::string& file, int threads, const std::string& library = "") {
    auto& env = Runtime::start(library);
    std::ifstream there(file, std::ios::binary);
    if (!there) throw Error(file + " cannot be read", "check the path");
    try {
      Ort::SessionOptions options;
      if (threads > 0) options.SetIntraOpNumThreads(threads);
      session_.emplace(env, file.c_str(), options);
    } catch (const Ort::Exception& error) {
      throw Error(file + " cannot be loaded: " + error.what(),
                  "get the file again from where it came, or export it again");
    }
    Ort::AllocatorWithDefaultOptions memory;
    for (std::size_t i = 0; i < session_->GetInputCount(); ++i)
      inputs.push_back(session_->GetInputNameAllocated(i, memory).get());
    for (std::size_t i = 0; i < session_->GetOutputCount(); ++i)
      outputs.push_back(session_->GetOutputNameAllocated(i, memory).get());
    file_ = file;
  }

  // Values in the order of `names`, for these inputs.
  std::vector<Ort::Value> run(const std::vector<const char*>& given,
                              const std::vector<Ort::Value>& values,
                              const std::vector<const char*>& names) {
    try {
      return session_->Run(Ort::RunOptions{}, given.data(), values.data(), values.size(),
                           names.data(), names.size());
    } catch (const Ort::Exception& error) {
      throw Error(file_ + " failed: " + error.what(), "see that captions are UTF-8, and get the file again if they are");
    }
  }

  static bool has(const std::vector<std::string>& among, const std::string& name) {
    return std::find(among.begin(), among.end(), name) != among.end();
  }

  std::string note(const char* key) const {
    Ort::AllocatorWithDefaultOptions memory;
    auto found = session_->GetModelMetadata().LookupCustomMetadataMapAllocated(key, memory);
    return found ? found.get() : "";
  }

  std::vector<std::string> inputs, outputs;

 private:
  std::optional<Ort::Session> session_;
  std::string file_;
};

// A tensor that lies in `data`, which must outlive it.
template <typename T>
Ort::Value tensor(std::vector<T>& data, const std::vector<std::int64_t>& shape) {
  const auto host = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor<T>(host, data.data(), data.size(), shape.data(), shape.size());
}

// A single file ready to draw. Several threads may use one at once.
class Painter {
 public:
  explicit Painter(const std::string& file, int threads = 0, const std::string& library = "")
      : graph_(file, threads, library) {
    if (graph_.note("t2i.reads") == "tokens")
      throw Error(file + " takes tokens, which a program of its own must make of captions",
                  "read the metadata t2i.tokenizer, or use a system that reads words");
    bool whole = graph_.note("t2i.reads") == "caption";
    for (const char* name : {"caption", "seed"}) whole = whole && Graph::has(graph_.inputs, name);
    for (const char* name : {"image", "known", "unknown"})
      whole = whole && Graph::has(graph_.outputs, name);
    if (!whole)
      throw Error(file + " is no single file of t2i", "make one: t2i-export --bundle birds --single-file");
  }

  // One picture a caption; picture i has the seed `seed + i`.
  std::vector<Picture> draw_all(const std::vector<std::string>& captions, std::int64_t seed = 0) {
    refuse_seed(seed, captions.size());
    if (captions.empty()) return {};
    std::vector<std::string> texts;
    for (const auto& caption : captions) texts.push_back(checked(caption));
    std::vector<const char*> pointers;
    for (const auto& text : texts) pointers.push_back(text.c_str());
    std::vector<std::int64_t> seeds(texts.size());
    for (std::size_t i = 0; i < seeds.size(); ++i) seeds[i] = seed + static_cast<std::int64_t>(i);

    Ort::AllocatorWithDefaultOptions memory;
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(texts.size())};
    std::vector<Ort::Value> values;
    values.push_back(Ort::Value::CreateTensor(memory, shape.data(), shape.size(),
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING));
    values.back().FillStringTensor(pointers.data(), pointers.size());
    values.push_back(tensor(seeds, shape));
    auto drawn = graph_.run({"caption", "seed"}, values, {"image", "known", "unknown"});
    return pictures(captions, drawn);
  }

  Picture draw(const std::string& caption, std::int64_t seed = 0) {
    return std::move(draw_all({caption}, seed).front());
  }

 private:
  static std::vector<Picture> pictures(const std::vector<std::string>& captions,
                                       std::vector<Ort::Value>& drawn) {
    const auto about = drawn[0].GetTensorTypeAndShapeInfo();
    const auto shape = about.GetShape();
    if (about.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 || shape.size() != 4 ||
        shape[0] != static_cast<std::int64_t>(captions.size()) || shape[3] != 3)
      throw Error("the file draws something that is no picture", "export it again");
    const auto* pixels = drawn[0].GetTensorData<std::uint8_t>();
    const auto* known = drawn[1].GetTensorData<std::int64_t>();
    const auto* unknown = drawn[2].GetTensorData<std::int64_t>();
    const auto size = static_cast<std::size_t>(shape[1] * shape[2] * 3);
    std::vector<Picture> found;
    for (std::size_t i = 0; i < captions.size(); ++i) {
      if (known[i] == 0)
        throw Error("nothing of the caption '" + captions[i].substr(0, 40) + "' is known",
                    "use words of the vocabulary, such as those of the bundle's card");
      found.push_back({shape[2], shape[1], {pixels + i * size, pixels + (i + 1) * size}, unknown[i]});
    }
    return found;
  }

  Graph graph_;
};

namespace detail {

inline void big_endian(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
}

inline void chunk(std::string& png, const std::string& kind, const std::string& data) {
  big_endian(png, static_cast<std::uint32_t>(data.size()));
  std::uint32_t crc = 0xFFFFFFFF;
  for (unsigned char byte : kind + data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  png += kind + data;
  big_endian(png, ~crc);
}

// The pixels in blocks of zlib that are stored, not compressed: any reader takes them.
inline std::string stored(const std::string& rows) {
  constexpr std::size_t most = 65535;
  std::string bytes = "\x78\x01";
  std::uint32_t a = 1, b = 0;
  for (unsigned char byte : rows) a = (a + byte) % 65521, b = (b + a) % 65521;
  for (std::size_t at = 0; at < rows.size(); at += most) {
    const std::size_t size = std::min(most, rows.size() - at);
    bytes += static_cast<char>(at + size == rows.size());
    for (std::size_t each : {size, ~size})
      for (int shift : {0, 8}) bytes += static_cast<char>(each >> shift & 0xFF);
    bytes.append(rows, at, size);
  }
  big_endian(bytes, b << 16 | a);
  return bytes;
}

inline std::string png(const Picture& picture) {
  std::string bytes = "\x89PNG\r\n\x1a\n", header, rows;
  big_endian(header, static_cast<std::uint32_t>(picture.width));
  big_endian(header, static_cast<std::uint32_t>(picture.height));
  header += std::string("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB
  const auto width = static_cast<std::size_t>(picture.width) * 3;
  for (std::size_t at = 0; at < picture.rgb.size(); at += width) {
    rows += '\0';  // no filter
    rows.append(picture.rgb.begin() + static_cast<std::ptrdiff_t>(at),
                picture.rgb.begin() + static_cast<std::ptrdiff_t>(at + width));
  }
  chunk(bytes, "IHDR", header);
  chunk(bytes, "IDAT", stored(rows));
  chunk(bytes, "IEND", "");
  return bytes;
}

}  // namespace detail

// Write a picture as PNG, or as PPM where the name ends in .ppm.
inline void save(const Picture& picture, const std::string& path) {
  const std::string end = path.size() > 4 ? path.substr(path.size() - 4) : "";
  std::string bytes;
  if (end == ".ppm") {
    bytes = "P6 " + std::to_string(picture.width) + " " + std::to_string(picture.height) + " 255\n";
    bytes.append(picture.rgb.begin(), picture.rgb.end());
  } else if (end == ".png") {
    bytes = detail::png(picture);
  } else {
    throw Error(path + " has an ending that is not known", "end it with .png or .ppm");
  }
  std::ofstream file(path, std::ios::binary);
  if (!(file << bytes) || !file.flush()) throw Error(path + " cannot be written", "check the path");
}

}  // namespace t2i
