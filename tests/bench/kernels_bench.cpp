// Single kernels at the sizes of scripts/bench's workloads, each against its roofline (roofline.h),
// measured right before it. Names are workload/kernel/sizes; counters: GF/s of products, and
// `roof`, the share of the roofline.
//   kernels_bench --benchmark_filter=W1 --benchmark_repetitions=9
//   --benchmark_report_aggregates_only
#include <benchmark/benchmark.h>

#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "kernels/attention.h"
#include "kernels/attention_tile.h"
#include "kernels/dropout.h"
#include "kernels/graph_attention.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/optimiser.h"
#include "kernels/pointwise.h"
#include "kernels/sparse_linear.h"
#include "tensor/arena.h"
#include "tests/bench/roofline.h"

namespace attune::bench {
namespace {

using kernels::Threads;

// Memory of one case.
class Data {
 public:
  View<float> operator()(const Shape& shape) {
    const View<float> x = arena_.view<float>(shape);
    for (float& value : x) value = normal_(engine_);
    return x;
  }
  View<std::int32_t> numbers(const std::vector<Index>& values) {
    const View<std::int32_t> x = arena_.view<std::int32_t>({static_cast<Index>(values.size())});
    for (Index i = 0; i < x.size(); ++i)
      x[i] = static_cast<std::int32_t>(values[static_cast<std::size_t>(i)]);
    return x;
  }

 private:
  Arena arena_;
  std::mt19937 engine_{1};
  std::normal_distribution<float> normal_;
};

struct Kernel {
  Work work;
  double flops;  // of products, for GF/s; 0: it has none
  std::function<void()> run;
  Work whole = {};  // what `work` is where vectors and tiles are computed as a whole, if it is more
};

// `make` gets memory and gives what is timed. One and two threads.
void add(const std::string& name, const std::function<Kernel(Data&)>& make) {
  for (const int count : {1, 2}) {
    benchmark::RegisterBenchmark(
        (name + "/" + std::to_string(count) + (count == 1 ? "_thread" : "_threads")).c_str(),
        [make, count](benchmark::State& state) {
          Threads threads(count);
          Data data;
          const Kernel kernel = make(data);
          threads.run([&] {
            kernel.run();
            const double least = least_seconds(threads, kernel.work),
                         whole =
                             kernel.whole.operations > 0 ? least_seconds(threads, kernel.whole) : 0;
            for (auto _ : state) kernel.run();
            using benchmark::Counter;
            state.counters["roof"] = Counter(least, Counter::kIsIterationInvariantRate);
            if (kernel.whole.operations > 0)
              state.counters["roof_whole"] = Counter(whole, Counter::kIsIterationInvariantRate);
            if (kernel.flops > 0)
              state.counters["GF/s"] =
                  Counter(kernel.flops * 1e-9, Counter::kIsIterationInvariantRate);
          });
        })
        ->UseRealTime();
  }
}

std::string sizes(std::initializer_list<Index> list) {
  std::string text;
  for (const Index n : list) text += (text.empty() ? "" : "x") + std::to_string(n);
  return text;
}

void linear(const std::string& workload, Index n, Index d_in, Index d_out) {
  const auto wi = static_cast<double>(d_in), wo = static_cast<double>(d_out),
             rows = static_cast<double>(n);
  const double flops = 2 * rows * wi * wo, bytes = 4 * (rows * (wi + wo) + wi * wo);
  const std::string size = sizes({n, d_in, d_out});
  add(workload + "/linear/" + size, [=](Data& data) {
    const auto x = data({n, d_in}), w = data({d_out, d_in}), b = data({d_out}),
               y = data({n, d_out});
    return Kernel{{flops, bytes}, flops, [=] { kernels::linear<float>(x, w, b, y); }};
  });
  add(workload + "/linear_backward_input/" + size, [=](Data& data) {
    const auto dx = data({n, d_in}), w = data({d_out, d_in}), dy = data({n, d_out});
    return Kernel{
        {flops, bytes}, flops, [=] { kernels::linear_backward_input<float>(dy, w, dx, true); }};
  });
  add(workload + "/linear_backward_weight/" + size, [=](Data& data) {
    const auto x = data({n, d_in}), dw = data({d_out, d_in}), db = data({d_out}),
               dy = data({n, d_out});
    return Kernel{{flops + rows * wo, bytes}, flops, [=] {
                    kernels::linear_backward_weight<float>(dy, x, dw, db);
                  }};
  });
}

// What a score costs beside its products, in vector operations on the arithmetic ports, each worth
// two: subtract, exp2 (11), sum and maximum forward; subtract, exp2 and three more backward; with
// dropout a draw's share of Philox (66 for 64 draws of 16 bits) and two of selection.
constexpr double kForwardScore = 2 * 14, kBackwardScore = 2 * 15, kDraw = 2 * (66.0 / 4 + 2);

void attention(const std::string& workload, const std::vector<Index>& lengths, Index heads, Index d,
               bool causal, double dropout) {
  kernels::AttentionOptions o;
  o.n_heads = o.n_kv_heads = heads;
  o.d_k = o.d_v = d;
  o.scale = 1 / std::sqrt(static_cast<double>(d));
  o.pattern = static_cast<kernels::Pattern>(causal ? 1 : 0);
  o.dropout = dropout;
  std::vector<Index> offsets{0}, ids;
  double pairs = 0, by_lanes = 0, by_rows = 0;
  for (const Index length : lengths) {
    ids.push_back(static_cast<Index>(ids.size()));
    offsets.push_back(offsets.back() + length);
    // Query i sees i + 1 keys, and those up to the end of its step where steps are computed whole.
    const auto seen = [&](Index step) {
      double sum = 0;
      for (Index i = 0; i < length; ++i)
        sum += static_cast<double>(causal ? std::min(i / step * step + step, length) : length);
      return sum * static_cast<double>(heads);
    };
    pairs += seen(1), by_lanes += seen(kernels::kStrip), by_rows += seen(kernels::kRowStrip);
  }
  const Index n = offsets.back(), wide = heads * d;
  const double product = 2 * pairs * static_cast<double>(d),
               row_bytes = 4 * static_cast<double>(n) * static_cast<double>(wide);
  const double draws = dropout > 0 ? kDraw * pairs : 0;
  // Products whose lanes are queries, and those whose rows are.
  const auto whole = [=](double of_lanes, double of_rows) {
    return 2 * static_cast<double>(d) * (of_lanes * by_lanes + of_rows * by_rows);
  };
  const std::string size =
      std::to_string(lengths.size()) +
      (lengths.front() == lengths.back() ? "x" + std::to_string(lengths[0]) : "_ragged") + "x" +
      sizes({heads, d});
  const auto make = [=](Data& data, bool backward) {
    const auto q = data({n, 3 * wide}), y = data({n, wide}), lse = data({n, heads});
    const kernels::AttentionRows rows{.q_offsets = data.numbers(offsets),
                                      .k_offsets = data.numbers(offsets),
                                      .example = data.numbers(ids)};
    using R = kernels::Rows<float>;
    using C = kernels::Rows<const float>;
    const C packed(q);
    const auto forward = [=] {
      kernels::attention<float>(o, rows, packed.slice(0, wide), packed.slice(wide, wide),
                                packed.slice(2 * wide, wide), R(y), lse);
    };
    if (!backward)
      return Kernel{{2 * product + kForwardScore * pairs + draws, 4 * row_bytes},
                    2 * product,
                    forward,
                    causal ? Work{whole(1, 1) + kForwardScore * by_lanes, 4 * row_bytes} : Work{}};
    forward();
    const auto dy = data({n, wide}), g = data({n, 3 * wide});
    const R gradient(g);
    return Kernel{{5 * product + kBackwardScore * pairs + draws, 8 * row_bytes},
                  5 * product,
                  [=] {
                    kernels::attention_backward<float>(
                        o, rows, C(dy), packed.slice(0, wide), packed.slice(wide, wide),
                        packed.slice(2 * wide, wide), C(y), lse, gradient.slice(0, wide),
                        gradient.slice(wide, wide), gradient.slice(2 * wide, wide));
                  },
                  causal ? Work{whole(2, 3) + kBackwardScore * by_lanes, 8 * row_bytes} : Work{}};
  };
  add(workload + "/attention/" + size, [=](Data& data) { return make(data, false); });
  add(workload + "/attention_backward/" + size, [=](Data& data) { return make(data, true); });
}

// Kernels by element or row: vector instructions on the arithmetic ports, each worth two, and
// bytes. GELU and its slope take 30 multiplications and sums, a division, and nine instructions
// more. A row of a norm has two sums over its lanes, each of which 16 rows share: 47 instructions
// for 16.
constexpr double kGelu = 2 * 40, kLaneSums = 2 * 2 * 47;
void rows(const std::string& workload, Index n, Index d, Index ff) {
  const auto elements = static_cast<double>(n * d), wide = static_cast<double>(n * ff);
  add(workload + "/gelu/" + sizes({n, ff}), [=](Data& data) {
    const auto x = data({n, ff}), y = data({n, ff});
    return Kernel{{wide * kGelu, wide * 12}, 0, [=] {
                    kernels::gelu<float>(kernels::GeluForm::erf, x, y, x);
                  }};
  });
  add(workload + "/gelu_backward/" + sizes({n, ff}), [=](Data& data) {
    const auto slope = data({n, ff}), dy = data({n, ff}), dx = data({n, ff});
    return Kernel{{wide * 2, wide * 12}, 0, [=] { kernels::chain<float>(slope, dy, dx, true); }};
  });
  const auto norm = [=](Data& data, bool backward) {
    const auto x = data({n, d}), y = data({n, d}), gain = data({d}), bias = data({d}),
               mean = data({n}), rstd = data({n});
    const auto forward = [=] { kernels::layer_norm<float>(x, gain, bias, 1e-5F, y, mean, rstd); };
    const double lane_sums = static_cast<double>(n) * kLaneSums;
    if (!backward) return Kernel{{elements * 2 * 6 + lane_sums, elements * 8}, 0, forward};
    forward();
    const auto dx = data({n, d}), dgain = data({d}), dbias = data({d});
    return Kernel{{elements * 2 * 11 + lane_sums, elements * 16}, 0, [=] {
                    kernels::layer_norm_backward<float>(y, x, gain, mean, rstd, dx, dgain, dbias);
                  }};
  };
  add(workload + "/layer_norm/" + sizes({n, d}), [=](Data& data) { return norm(data, false); });
  add(workload + "/layer_norm_backward/" + sizes({n, d}),
      [=](Data& data) { return norm(data, true); });
  const auto residual = [=](Data& data, bool backward) {
    const auto x = data({n, d}), branch = data({n, d}), y = data({n, d});
    std::vector<Index> places(static_cast<std::size_t>(n));
    std::iota(places.begin(), places.end(), 0);
    const auto example = data.numbers(places), token = data.numbers(places);
    const kernels::DropoutOptions o{0.1, 7, 3};
    if (!backward)
      return Kernel{{elements * kDraw, elements * 12}, 0, [=] {
                      kernels::dropout_residual<float>(o, example, token, x, branch, y);
                    }};
    return Kernel{{elements * kDraw, elements * 16}, 0, [=] {
                    kernels::dropout_residual_backward<float>(o, example, token, x, branch, y,
                                                              false, true);
                  }};
  };
  add(workload + "/dropout_residual/" + sizes({n, d}),
      [=](Data& data) { return residual(data, false); });
  add(workload + "/dropout_residual_backward/" + sizes({n, d}),
      [=](Data& data) { return residual(data, true); });
}

void optimiser(const std::string& workload, Index n) {
  const auto count = static_cast<double>(n);
  add(workload + "/adam/" + std::to_string(n), [=](Data& data) {
    const auto g = data({n}), p = data({n}), m = data({n}), v = data({n});
    for (float& x : v) x *= x;
    return Kernel{
        {count * 2 * 13, count * 28}, 0, [=] { kernels::adam<float>({}, {}, g, p, m, v); }};
  });
}

// Rows of a random sparse matrix in the shape of a citation graph: n rows with `mean` entries on
// average, as many again of the row itself where `loops`.
struct SparseCase {
  View<const std::int32_t> indptr, indices;
};
SparseCase random_rows(Data& data, Index n, Index n_columns, Index mean, bool loops) {
  std::mt19937 engine(2);
  std::vector<std::vector<Index>> columns(static_cast<std::size_t>(n));
  for (Index t = 0; t < n * mean; ++t) {
    const auto draw = [&](Index below) {
      return static_cast<Index>(std::uniform_int_distribution<Index>(0, below - 1)(engine));
    };
    columns[static_cast<std::size_t>(draw(n))].push_back(draw(n_columns));
  }
  std::vector<Index> indptr{0}, indices;
  for (Index i = 0; i < n; ++i) {
    const auto& own = columns[static_cast<std::size_t>(i)];
    indices.insert(indices.end(), own.begin(), own.end());
    if (loops) indices.push_back(i);
    indptr.push_back(static_cast<Index>(indices.size()));
  }
  return {data.numbers(indptr), data.numbers(indices)};
}

// A cell is an edge's score in one head: what it costs beside its products, as above, a whole
// instance of Philox among it.
void edges(const std::string& workload, Index n, Index heads, Index d) {
  constexpr double kCell = 2 * (14 + 66.0 * 8 / 16 + 8);
  const Index m = n * 5, columns = heads * d;
  const auto cells = static_cast<double>(m * heads),
             products = 2.0 * static_cast<double>(m * columns);
  const double node_bytes = 4.0 * static_cast<double>(n * columns), cell_bytes = 4 * cells;
  const auto make = [=](Data& data, bool backward) {
    const SparseCase graph = random_rows(data, n, n, 4, true);
    const auto z = data({n, columns}), y = data({n, columns}), sender = data({heads, d}),
               receiver = data({heads, d}), weights = data({graph.indices.size(), heads});
    const PackedRows pack{data.numbers({0, n}), data.numbers({0}), {}};
    const kernels::EdgeAttentionOptions o{.n_heads = heads, .dropout = {0.6, 7, 3}};
    const kernels::EdgeOperands<const float> x{.z = z, .att_src = sender, .att_dst = receiver};
    const auto forward = [=] {
      kernels::edge_attention<float>(o, pack, {graph.indptr, graph.indices}, x, weights, y);
    };
    if (!backward)
      return Kernel{{products + kCell * cells, 3 * node_bytes + cell_bytes}, products, forward};
    forward();
    const auto dz = data({n, columns}), dsender = data({heads, d}), dreceiver = data({heads, d});
    const kernels::EdgeOperands<float> g{.z = dz, .att_src = dsender, .att_dst = dreceiver};
    return Kernel{
        {2 * products + 2 * 12 * cells, 5 * node_bytes + 4 * cell_bytes}, 2 * products, [=] {
          kernels::edge_attention_backward<float>(o, pack, {graph.indptr, graph.indices}, y, x,
                                                  weights, g);
        }};
  };
  const std::string size = sizes({n, heads, d});
  add(workload + "/edge_attention/" + size, [=](Data& data) { return make(data, false); });
  add(workload + "/edge_attention_backward/" + size, [=](Data& data) { return make(data, true); });
}

void sparse(const std::string& workload, Index n, Index d_in, Index d_out, Index mean) {
  const auto entries = static_cast<double>(n * mean), out = static_cast<double>(d_out);
  const Work work{2 * entries * out, 8 * entries + 4 * out * static_cast<double>(n + d_in)};
  const auto make = [=](Data& data, bool backward) {
    const SparseCase x = random_rows(data, n, d_in, mean, false);
    const auto values = data({x.indices.size()}), w = data({d_out, d_in}), y = data({n, d_out});
    if (!backward) {
      return Kernel{work, work.operations, [=] {
                      kernels::sparse_linear<float>({x.indptr, x.indices}, values, w, {}, y);
                    }};
    }
    const auto dw = data({d_out, d_in});
    return Kernel{
        work, work.operations, [=] {
          kernels::sparse_linear_backward<float>({x.indptr, x.indices}, y, values, w, {}, dw);
        }};
  };
  const std::string size = sizes({n, d_in, d_out});
  add(workload + "/sparse_linear/" + size, [=](Data& data) { return make(data, false); });
  add(workload + "/sparse_linear_backward/" + size, [=](Data& data) { return make(data, true); });
}

void layers(const std::string& workload, Index n, Index d, Index ff) {
  linear(workload, n, d, 3 * d);
  linear(workload, n, d, d);
  linear(workload, n, d, ff);
  linear(workload, n, ff, d);
  rows(workload, n, d, ff);
}

void all() {
  layers("W1", 2048, 64, 256);
  attention("W1", std::vector<Index>(32, 64), 4, 16, false, 0.1);
  optimiser("W1", 120'000);
  layers("W2", 512, 64, 256);
  attention("W2", std::vector<Index>(16, 32), 4, 16, false, 0);
  optimiser("W2", 1'200'000);
  layers("W3", 768, 128, 512);
  attention("W3", std::vector<Index>(12, 64), 4, 32, true, 0);
  linear("W3", 768, 128, 65);
  optimiser("W3", 800'000);
  layers("W4", 1297, 128, 512);
  std::vector<Index> ragged;
  for (Index i = 0; i < 16; ++i) ragged.push_back((4 + i * 12 / 15) * (4 + (i * 7 % 13)));
  attention("W4", ragged, 4, 32, false, 0.1);
  for (const Index n : {256, 1024, 4096}) attention("W5", {n}, 4, 32, false, 0);
  sparse("W6", 2708, 1433, 64, 18);
  edges("W6", 2708, 8, 8);
  edges("W6", 2708, 1, 7);
}

}  // namespace
}  // namespace attune::bench

int main(int argc, char** argv) {
  attune::bench::all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
