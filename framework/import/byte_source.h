#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace attune {

// zlib: gzip, whose members are one stream and whose checksums are compared, or zlib's own form.
// deflate: the stream without either around it.
enum class Packing { none, zlib, deflate };

// The bytes of a file from `offset` on, inflated if packed. DataError where the file cannot be read
// or the compressed stream is damaged or cut.
class ByteSource {
 public:
  ByteSource(const std::string& path, std::uint64_t offset = 0, Packing packing = Packing::none);
  ~ByteSource();
  // `size` bytes, fewer at the end only.
  std::size_t read(void* out, std::size_t size);

 private:
  std::size_t read_plain(char* out, std::size_t size);
  std::string path_;
  std::ifstream file_;
  struct Inflater;
  std::unique_ptr<Inflater> inflater_;
};

// The whole of a file.
std::string all_bytes(const std::string& path);

}  // namespace attune
