// An unordered sum in a parallel loop: ThreadSanitizer must report it. With an argument each block
// has its own cell, and it must stay silent: a crew hands work over and back by atomics.
#include <array>
#include <cstdio>

#include "kernels/parallel.h"

int main(int argc, char**) {
  const bool apart = argc > 1;
  std::array<double, 64> cells{};
  double total = 0;
  attune::kernels::Threads threads(4);
  threads.run([&] {
    for (int round = 0; round < 20; ++round) {
      attune::kernels::parallel_for("sum", 64, 1e9, [&](attune::Index block) {
        cells[apart ? static_cast<std::size_t>(block) : 0] += static_cast<double>(block);
      });
      for (const double cell : cells) total += cell;
      cells.fill(0);
    }
  });
  std::printf("%g\n", total);
}
