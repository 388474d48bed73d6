#include "base/hash.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

// FIPS 180-4's example, and the empty message.
TEST(Hash, Sha256GivesThePublishedDigests) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 parts;
  parts.update("a");
  parts.update("bc");
  EXPECT_EQ(parts.hex(), sha256("abc"));
}

TEST(Hash, Hash64IsTheLittleEndianStartOfSha256) { EXPECT_EQ(hash64("abc"), 0xeacf018fbf1678baU); }

// The check value of CRC-32C, and RFC 3720 B.4: 32 bytes of zeros.
TEST(Hash, Crc32cGivesThePublishedValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
}

}  // namespace
}  // namespace attune
