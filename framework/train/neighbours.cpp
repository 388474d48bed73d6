#include "train/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "kernels/math.h"
#include "kernels/parallel.h"

namespace attune {
namespace {

// Squared distances of example i of x to every training example.
void distances(const Features& train, const Features& x, Index i, std::vector<double>& out) {
  std::fill(out.begin(), out.end(), 0.0);
  for (Index j = 0; j < train.d; ++j) {
    const double at = x.column(j)[i];
    const double* column = train.column(j);
    for (Index t = 0; t < train.n; ++t) {
      const double difference = column[t] - at;
      out[static_cast<std::size_t>(t)] += difference * difference;
    }
  }
}

}  // namespace

std::vector<float> nearest_neighbours(const Features& train, std::span<const std::int32_t> target,
                                      Index n_classes, Index k, const Features& x) {
  ATTUNE_CHECK(k >= 1 && k <= train.n, DataError,
               "baseline.k={} neighbours cannot be had from {} training examples: 1..{}", k,
               train.n, train.n);
  std::vector<float> logits(static_cast<std::size_t>(x.n * n_classes));
  const double cost = static_cast<double>(x.n * train.n * train.d) * 0.5;
  kernels::parallel_for("nearest_neighbours", x.n, cost, [&](Index i) {
    std::vector<double> distance(static_cast<std::size_t>(train.n));
    distances(train, x, i, distance);
    std::vector<std::size_t> order(distance.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::partial_sort(order.begin(), order.begin() + k, order.end(),
                      [&](std::size_t a, std::size_t b) {
                        return distance[a] != distance[b] ? distance[a] < distance[b] : a < b;
                      });
    std::vector<Index> votes(static_cast<std::size_t>(n_classes));
    std::vector<double> sum(votes.size());
    for (auto voter = order.begin(); voter != order.begin() + k; ++voter) {
      const auto c = static_cast<std::size_t>(target[*voter]);
      ++votes[c];
      sum[c] += std::sqrt(distance[*voter]);
    }
    std::size_t first = 0;
    for (std::size_t c = 1; c < votes.size(); ++c)
      if (votes[c] > votes[first] || (votes[c] == votes[first] && sum[c] < sum[first])) first = c;
    float* out = logits.data() + i * n_classes;
    for (std::size_t c = 0; c < votes.size(); ++c)
      out[c] = static_cast<float>(
          kernels::log(static_cast<double>(votes[c] + 1) / static_cast<double>(k + n_classes)));
    out[first] = std::nextafter(out[first], std::numeric_limits<float>::infinity());
  });
  return logits;
}

}  // namespace attune
