#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

// SHA-256 of a stream of bytes, as 64 hex digits.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(const void* data, std::size_t bytes);
  void update(std::string_view text) { update(text.data(), text.size()); }
  std::string hex();  // ends the stream; call once

 private:
  void* context_;
};

std::string sha256(std::string_view bytes);

// The first eight bytes of SHA-256, little-endian: a hash that never changes, used to key random
// streams.
std::uint64_t hash64(std::string_view text);

// CRC-32C (Castagnoli), as in iSCSI and ext4: of "123456789" it is e3069283.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace attune
