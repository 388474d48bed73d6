#include "tests/bench/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "kernels/simd.h"

namespace attune::bench {
namespace {

using kernels::Vec;

// The best of a few: a roofline is what the machine does when it is left alone.
template <class F>
double best_seconds(int times, F&& f) {
  double best = 1e30;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

template <class F>
void on_each(kernels::Threads& threads, F&& f) {
  kernels::parallel_for("roofline", threads.count(), 1e9, f);
}

}  // namespace

double fma_peak(kernels::Threads& threads) {
  constexpr int kChains = 24, kRounds = 4000;
  float result = 0;
  const double seconds = best_seconds(7, [&] {
    on_each(threads, [&](Index) {
      Vec<float> chains[kChains];
      for (int c = 0; c < kChains; ++c) chains[c] = static_cast<float>(c) * 1e-3F;
      const Vec<float> factor = 0.999F, term = 1e-3F;
      for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 24
        for (int c = 0; c < kChains; ++c) chains[c] = fma(chains[c], factor, term);
      }
      Vec<float> total = 0.F;
      for (int c = 0; c < kChains; ++c) total += chains[c];
      asm volatile("" : : "x"(total.v));
    });
  });
  asm volatile("" : : "m"(result));
  return 2.0 * kernels::kLanes<float> * kChains * kRounds * threads.count() / seconds;
}

double copy_bandwidth(kernels::Threads& threads, double bytes) {
  const auto each =
      std::max<std::size_t>(static_cast<std::size_t>(bytes / 2 / threads.count()), 4096) / 64 * 64;
  const auto parts = static_cast<std::size_t>(threads.count());
  static std::vector<float> memory;
  const std::size_t elements = each / sizeof(float);
  memory.resize(std::max(memory.size(), 2 * parts * elements + 64));
  float* const base =
      memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) / 4 % 16;
  const int rounds = static_cast<int>(std::clamp(4e6 / static_cast<double>(each), 2.0, 200.0));
  const double seconds = best_seconds(5, [&] {
    on_each(threads, [&](Index t) {
      float* const from = base + static_cast<std::size_t>(t) * 2 * elements;
      float* const to = from + elements;
      for (int r = 0; r < rounds; ++r) {
        for (std::size_t i = 0; i < elements; i += 16) {
          for (std::size_t v = 0; v < 16; v += kernels::kLanes<float>)
            kernels::store(to + i + v, kernels::load(from + i + v));
        }
        asm volatile("" : : "r"(to) : "memory");
      }
    });
  });
  return 2.0 * static_cast<double>(each) * static_cast<double>(parts) * rounds / seconds;
}

double least_seconds(kernels::Threads& threads, const Work& work) {
  const double compute = work.operations / fma_peak(threads);
  return work.bytes > 0 ? std::max(compute, work.bytes / copy_bandwidth(threads, work.bytes))
                        : compute;
}

}  // namespace attune::bench
