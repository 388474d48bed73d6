#include "base/hash.h"

#include <openssl/evp.h>

#include <array>
#include <boost/crc.hpp>
#include <cstring>

#include "base/error.h"

namespace attune {
namespace {

using Digest = std::array<unsigned char, 32>;

EVP_MD_CTX* as_context(void* p) { return static_cast<EVP_MD_CTX*>(p); }

Digest finish(EVP_MD_CTX* context) {
  Digest digest{};
  unsigned int size = 0;
  ATTUNE_CHECK(EVP_DigestFinal_ex(context, digest.data(), &size) == 1 && size == digest.size(),
               StorageError, "libcrypto could not finish a SHA-256");
  return digest;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  ATTUNE_CHECK(
      context_ != nullptr && EVP_DigestInit_ex(as_context(context_), EVP_sha256(), nullptr) == 1,
      StorageError, "libcrypto has no SHA-256 to offer");
}
Sha256::~Sha256() { EVP_MD_CTX_free(as_context(context_)); }

void Sha256::update(const void* data, std::size_t bytes) {
  EVP_DigestUpdate(as_context(context_), data, bytes);
}

std::string Sha256::hex() {
  std::string out;
  for (unsigned char byte : finish(as_context(context_))) out += fmt::format("{:02x}", byte);
  return out;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::uint64_t hash64(std::string_view text) {
  Digest digest{};
  ATTUNE_CHECK(
      EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1,
      StorageError, "libcrypto has no SHA-256 to offer");
  std::uint64_t h = 0;
  for (int i = 7; i >= 0; --i) h = h << 8 | digest[static_cast<std::size_t>(i)];
  return h;
}

std::uint32_t crc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

}  // namespace attune
