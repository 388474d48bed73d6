#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace attune {

// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): ten rounds on
// a 128-bit counter.
using PhiloxCounter = std::array<std::uint32_t, 4>;
constexpr PhiloxCounter philox(PhiloxCounter counter, std::uint64_t key) {
  auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * counter[0],
                        p1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return counter;
}

// A named stream of random numbers: a draw is a function of (seed, purpose, name) and of logical
// coordinates, never of call order, memory or packing. Purposes are "init", "dropout", "data",
// "shuffle", ….
struct Stream {
  std::uint64_t key = 0;

  Stream() = default;
  explicit Stream(std::uint64_t k) : key(k) {}
  Stream(std::uint64_t seed, std::string_view purpose, std::string_view name)
      : key(hash64(std::to_string(seed) + "/" + std::string(purpose) + "/" + std::string(name))) {}

  // Element i of the stream at coordinates (a, b): uniform on (0, 1), (word + ½)·2⁻³² of word i mod
  // 4 of philox({i / 4, a, b, 0}). i counts up to 2^34.
  double uniform(std::uint64_t i, std::uint32_t a = 0, std::uint32_t b = 0) const {
    const auto words = philox({static_cast<std::uint32_t>(i / 4), a, b, 0}, key);
    return (static_cast<double>(words[i % 4]) + 0.5) * 0x1p-32;
  }
  // Uniform on {0, …, n−1} by multiplication (bias below n·2⁻³²).
  std::uint32_t below(std::uint32_t n, std::uint64_t i, std::uint32_t a = 0,
                      std::uint32_t b = 0) const {
    const auto words = philox({static_cast<std::uint32_t>(i / 4), a, b, 0}, key);
    return static_cast<std::uint32_t>(std::uint64_t{words[i % 4]} * n >> 32);
  }
};

}  // namespace attune
