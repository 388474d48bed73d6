// Multi-head attention against what its mathematics says of it.
#include "nn/attention.h"

#include <gtest/gtest.h>

#include <numeric>

#include "kernels/attention/parts.h"
#include "nn/block.h"
#include "nn/positions.h"
#include "tests/nn/layer_bench.h"

namespace attune {
namespace {

using testing::error;
using testing::rows_of;
using testing::same_bits;
using Array = testing::Array<double>;

template <class Real>
auto build(LayerBench<Real>& bench, const AttentionSpec& spec, Index d, Index n_heads) {
  return bench.build([&](Registry& r) { return MultiHeadAttention(r, "a", d, n_heads, spec); });
}

std::vector<AttentionSpec> one_of_each_kind() {
  std::vector<AttentionSpec> specs;
  for (const char* kind : {"exact", "linear", "performer", "linformer"}) {
    specs.emplace_back();
    specs.back().kind = kind;
    specs.back().k = 4;
    specs.back().max_length = 200;
    specs.back().n_features = 12;
  }
  return specs;
}

// The composition that files and results of earlier versions were made with, bit for bit: also the
// order of records, which is that in which gradients of x add up.
TEST(MultiHeadAttention, WithoutSettingsIsThePlainOne) {
  LayerBench<float> bench({0, 7, 12});
  AttentionSpec spec;
  spec.dropout = 0.3;
  const auto layer = build(bench, spec, 8, 2);
  std::vector<std::string> names;
  for (const ParameterId id : bench.registry.by_name()) names.push_back(bench.registry[id].name);
  EXPECT_EQ(names, (std::vector<std::string>{"a.bk", "a.bo", "a.bq", "a.bv", "a.wk", "a.wo", "a.wq",
                                             "a.wv"}));
  const auto x = testing::Array<float>::random({12, 8}, 2),
             dy = testing::Array<float>::random({12, 8}, 3);
  const auto settings = bench.run(layer, x, &dy, true);
  const std::vector<float> gradients(bench.grads->all().begin(), bench.grads->all().end());
  const auto plain = bench.run(
      [](const Pass<float>& pass, Var in) {
        const auto at = [&](int i) { return pass.parameters[static_cast<std::size_t>(i)]; };
        const Var v = linear(pass.tape, in, at(4), at(5)), k = linear(pass.tape, in, at(2), at(3)),
                  q = linear(pass.tape, in, at(0), at(1));
        AttentionOptions options;
        options.n_heads = 2;
        options.dropout = {0.3, Stream(1, "dropout", "a.dropout").key, 5};
        const Var y = attention(pass.tape, q, k, v, pass.rows.offsets, pass.rows.offsets,
                                pass.rows.example, options);
        return linear(pass.tape, y, at(6), at(7));
      },
      x, &dy, true);
  EXPECT_TRUE(same_bits(settings.y, plain.y));
  EXPECT_TRUE(same_bits(settings.dx, plain.dx));
  EXPECT_EQ(gradients, std::vector<float>(bench.grads->all().begin(), bench.grads->all().end()));
}

TEST(MultiHeadAttention, WithoutPositionsCommutesWithPermutations) {
  for (const AttentionSpec& spec : one_of_each_kind()) {
    if (spec.kind == "linformer") continue;  // its projection tells places apart
    LayerBench<double> bench({0, 9});
    const auto layer = build(bench, spec, 8, 2);
    const Array x = Array::random({9, 8}, 2);
    Array permuted(x.shape());
    const auto place = [](Index i) { return (4 * i + 3) % 9; };
    for (Index i = 0; i < 9; ++i) std::copy_n(x.view().row(i), 8, permuted.view().row(place(i)));
    const Array y = bench.run(layer, x).y, of_permuted = bench.run(layer, permuted).y;
    Array wanted(y.shape());
    for (Index i = 0; i < 9; ++i) std::copy_n(y.view().row(i), 8, wanted.view().row(place(i)));
    EXPECT_LE(error(of_permuted, wanted), 1e-14) << spec.kind;
    EXPECT_GT(error(of_permuted, y), 1e-2) << spec.kind;
  }
}

TEST(MultiHeadAttention, AWindowOverTheWholeSequenceIsFull) {
  LayerBench<double> full({0, 9, 20}), wide({0, 9, 20});
  AttentionSpec spec;
  const auto plain = build(full, spec, 8, 2);
  spec.pattern = kernels::Pattern::window;
  spec.window = 10;
  const auto windowed = build(wide, spec, 8, 2);
  const Array x = Array::random({20, 8}, 2);
  EXPECT_LE(error(wide.run(windowed, x).y, full.run(plain, x).y), 1e-14);
}

// A loss of row 70 has exactly no gradient at later rows, in chunks of 64 as elsewhere.
TEST(MultiHeadAttention, CausalLeaksNothing) {
  for (AttentionSpec spec : one_of_each_kind()) {
    if (spec.kind == "linformer") continue;
    spec.pattern = kernels::Pattern::causal;
    LayerBench<double> bench({0, 90, 100});
    const auto layer = build(bench, spec, 8, 2);
    const Array x = Array::random({100, 8}, 2);
    Array dy(x.shape());
    std::fill_n(dy.view().row(70), 8, 1.0);
    const Array dx = bench.run(layer, x, &dy).dx;
    for (Index i = 0; i < 100; ++i) {
      const bool any =
          std::any_of(dx.view().row(i), dx.view().row(i) + 8, [](double g) { return g != 0; });
      EXPECT_EQ(any, i <= 70) << spec.kind << " row " << i;
    }
  }
}

// T19: L layers see L windows far to each side, and not a row further.
TEST(Encoder, SeesAsFarAsItsWindowsReach) {
  for (const auto& [pattern, dilation] : {std::pair{kernels::Pattern::window, Index(1)},
                                          {kernels::Pattern::causal_window, Index(1)},
                                          {kernels::Pattern::dilated, Index(3)}}) {
    EncoderOptions options;
    options.d_model = 8;
    options.n_layers = 3;
    options.n_heads = 2;
    options.attention.pattern = pattern;
    options.attention.window = 2;
    options.attention.dilation = dilation;
    LayerBench<double> bench({0, 60});
    const auto encoder = bench.build([&](Registry& r) { return Encoder(r, "e", options); });
    const Array x = Array::random({60, 8}, 2);
    Array dy(x.shape());
    // No constant, which the last norm would stop.
    for (Index c = 0; c < 8; ++c) dy[30 * 8 + c] = std::sin(static_cast<double>(c));
    const Array dx = bench.run(encoder, x, &dy).dx;
    for (Index i = 0; i < 60; ++i) {
      const bool any =
          std::any_of(dx.view().row(i), dx.view().row(i) + 8, [](double g) { return g != 0; });
      const Index far = std::abs(i - 30);
      const bool hidden = pattern == kernels::Pattern::causal_window && i > 30;
      EXPECT_EQ(any, !hidden && far <= 3 * 2 * dilation && far % dilation == 0) << "row " << i;
    }
  }
}

TEST(MultiHeadAttention, BitsDependNeitherOnThePackNorOnThreads) {
  for (AttentionSpec spec : one_of_each_kind()) {
    spec.qk_norm = AttentionSpec::Norm::rms;
    using Float = testing::Array<float>;
    LayerBench<float> pack({0, 40, 40, 170, 200}), alone({0, 130});
    const auto in_pack = build(pack, spec, 16, 4), by_itself = build(alone, spec, 16, 4);
    const Float x = Float::random({200, 16}, 2), dy = Float::random({200, 16}, 3);
    const Float own_x = rows_of(x, 40, 170), own_dy = rows_of(dy, 40, 170);
    const auto of_pack = pack.run(in_pack, x, &dy), of_alone = alone.run(by_itself, own_x, &own_dy);
    EXPECT_TRUE(same_bits(rows_of(of_pack.y, 40, 170), of_alone.y)) << spec.kind;
    EXPECT_TRUE(same_bits(rows_of(of_pack.dx, 40, 170), of_alone.dx)) << spec.kind;
    testing::expect_same_on_threads<float>({}, [&] {
      const auto result = pack.run(in_pack, x, &dy);
      Float grads({pack.registry.block_size()});
      std::copy(pack.grads->all().begin(), pack.grads->all().end(), grads.view().begin());
      return std::vector{result.y, result.dx, grads};
    });
  }
}

// The same rows as a memory of their own, a constant: the same bits, and the gradient of queries.
TEST(MultiHeadAttention, CrossesToACopyOfItselfAsToItself) {
  for (const AttentionSpec& spec : one_of_each_kind()) {
    LayerBench<double> bench({0, 7, 12});
    const auto layer = build(bench, spec, 8, 2);
    const Array x = Array::random({12, 8}, 2);
    const auto crossed =
        bench.run([&](const Pass<double>& pass,
                      Var in) { return layer(pass, in, pass, pass.tape.constant(x.view())); },
                  x);
    EXPECT_TRUE(same_bits(crossed.y, bench.run(layer, x).y)) << spec.kind;
  }
}

// The rows of a memory of other lengths: each example alone gives the same.
TEST(MultiHeadAttention, CrossesToRowsOfTheSameExample) {
  for (const AttentionSpec& spec : one_of_each_kind()) {
    LayerBench<double> queries({0, 3, 8}), memory({0, 11, 15});
    const auto layer = build(queries, spec, 8, 2);
    const Array x = Array::random({8, 8}, 2), rows = Array::random({15, 8}, 3);
    const auto attend = [&](LayerBench<double>& bench, const Array& in, const Array& to,
                            const LayerBench<double>& of) {
      return bench
          .run(
              [&](const Pass<double>& pass, Var q) {
                Pass<double> other = pass;
                other.rows = of.rows();
                return layer(pass, q, other, pass.tape.constant(to.view()));
              },
              in)
          .y;
    };
    const Array y = attend(queries, x, rows, memory);
    LayerBench<double> second({0, 5}), second_memory({0, 4});
    build(second, spec, 8, 2);
    const Array alone = attend(second, rows_of(x, 3, 8), rows_of(rows, 11, 15), second_memory);
    EXPECT_TRUE(same_bits(rows_of(y, 3, 8), alone)) << spec.kind;
  }
}

TEST(MultiHeadAttention, SharedKeysAreFullHeadsWithRepeatedWeights) {
  for (const char* kind : {"exact", "linear"}) {
    AttentionSpec spec;
    spec.kind = kind;
    LayerBench<double> full({0, 9}), grouped({0, 9});
    const auto full_layer = build(full, spec, 8, 4);
    spec.n_kv_heads = 2;
    const auto grouped_layer = build(grouped, spec, 8, 4);
    for (const char* name : {"a.wq", "a.bq", "a.wo", "a.bo"})
      std::copy(grouped.value(name).begin(), grouped.value(name).end(), full.value(name).begin());
    for (const char* name : {"a.wk", "a.bk", "a.wv", "a.bv"}) {
      const auto from = grouped.value(name), to = full.value(name);
      const Index head = from.size() / 2;
      for (Index h = 0; h < 4; ++h)
        std::copy_n(from.data() + h / 2 * head, head, to.data() + h * head);
    }
    const Array x = Array::random({9, 8}, 2);
    EXPECT_TRUE(same_bits(grouped.run(grouped_layer, x).y, full.run(full_layer, x).y)) << kind;
  }
}

TEST(MultiHeadAttention, SharedValuesAreThoseOfEveryHead) {
  AttentionSpec spec;
  LayerBench<double> own({0, 9}), shared({0, 9});
  const auto own_layer = build(own, spec, 8, 4);
  spec.values = AttentionSpec::Values::shared;
  const auto shared_layer = build(shared, spec, 8, 4);
  EXPECT_EQ(shared.value("a.wv").shape(), Shape({2, 8}));
  for (Index h = 0; h < 4; ++h)
    std::copy(shared.value("a.wv").begin(), shared.value("a.wv").end(),
              own.value("a.wv").data() + h * 16);
  const Array x = Array::random({9, 8}, 2);
  EXPECT_TRUE(same_bits(shared.run(shared_layer, x).y, own.run(own_layer, x).y));
}

// What a layer says is a sum over heads: y(g) = y(0) + g (y(1) − y(0)).
TEST(MultiHeadAttention, AHeadsGainMultipliesWhatItAddsToTheStream) {
  const auto with_gain = [](double gain) {
    AttentionSpec spec;
    spec.head_gain = {1, gain};
    LayerBench<double> bench({0, 9});
    return bench.run(build(bench, spec, 8, 4), Array::random({9, 8}, 2)).y;
  };
  const Array none = with_gain(0), one = with_gain(1), eight = with_gain(8);
  Array wanted(one.shape());
  for (Index i = 0; i < one.size(); ++i) wanted[i] = none[i] + 8 * (one[i] - none[i]);
  EXPECT_LE(error(eight, wanted), 1e-14);
  EXPECT_GT(error(none, one), 1e-2);
}

TEST(MultiHeadAttention, ALearnedScaleBeginsAtAuto) {
  for (const std::vector<Index>& widths : {std::vector<Index>{}, {1, 4, 4, 7}}) {
    AttentionSpec spec;
    spec.head_widths = widths;
    LayerBench<double> fixed({0, 9}), learned({0, 9});
    const auto fixed_layer = build(fixed, spec, 8, 4);
    spec.scale.kind = AttentionSpec::Scale::Kind::learned;
    const auto learned_layer = build(learned, spec, 8, 4);
    for (Index h = 0; h < 4; ++h)
      EXPECT_EQ(learned.value("a.scale")[h],
                1 / std::sqrt(widths.empty() ? 2.0 : double(widths[std::size_t(h)])));
    const Array x = Array::random({9, 8}, 2);
    EXPECT_LE(error(learned.run(learned_layer, x).y, fixed.run(fixed_layer, x).y), 1e-14);
  }
}

// 16, 64 and 256 columns have 64 in the geometric mean: one scale of 1/8.
TEST(MultiHeadAttention, ASharedScaleIsThatOfTheGeometricMeanWidth) {
  AttentionSpec spec;
  spec.head_widths = {16, 64, 256};
  LayerBench<double> shared({0, 5}), number({0, 5});
  spec.scale.kind = AttentionSpec::Scale::Kind::shared;
  const auto shared_layer = build(shared, spec, 256, 3);
  spec.scale = {AttentionSpec::Scale::Kind::number, 0.125};
  const auto number_layer = build(number, spec, 256, 3);
  EXPECT_EQ(shared.value("a.wq").shape(), Shape({336, 256}));
  EXPECT_EQ(shared.value("a.wo").shape(), Shape({256, 336}));
  const Array x = Array::random({5, 256}, 2);
  EXPECT_LE(error(shared.run(shared_layer, x).y, number.run(number_layer, x).y), 1e-14);
}

TEST(MultiHeadAttention, ALinformerThatProjectsNothingIsExact) {
  AttentionSpec spec;
  LayerBench<double> exact({0, 6, 12}), projected({0, 6, 12});
  const auto exact_layer = build(exact, spec, 8, 2);
  spec.kind = "linformer";
  spec.k = 6;
  spec.max_length = 9;
  const auto projected_layer = build(projected, spec, 8, 2);
  for (const char* name : {"a.project_k", "a.project_v"}) {
    const auto weight = projected.value(name);
    for (Index i = 0; i < 6; ++i)
      for (Index j = 0; j < 9; ++j) weight(i, j) = i == j ? 1 : 0;
  }
  const Array x = Array::random({12, 8}, 2);
  EXPECT_LE(error(projected.run(projected_layer, x).y, exact.run(exact_layer, x).y), 1e-14);
}

// With many features a performer is close to the softmax that it estimates.
TEST(MultiHeadAttention, APerformerEstimatesExactAttention) {
  AttentionSpec spec;
  LayerBench<double> exact({0, 12}), estimated({0, 12});
  const auto exact_layer = build(exact, spec, 8, 2);
  spec.kind = "performer";
  spec.n_features = 4096;
  const auto layer = build(estimated, spec, 8, 2);
  const Array x = Array::random({12, 8}, 2);
  // Relative error of a weight: √((e^|q+k|² − 1) / m), |q + k|² ≤ 3 here: below 0.07; averaged over
  // twelve keys.
  EXPECT_LE(error(estimated.run(layer, x).y, exact.run(exact_layer, x).y), 0.05);
}

TEST(MultiHeadAttention, NormsOfQueriesMakeTheirLengthsMeaningless) {
  AttentionSpec spec;
  spec.qk_norm = AttentionSpec::Norm::rms;
  LayerBench<double> bench({0, 9});
  const auto layer = build(bench, spec, 8, 2);
  const Array x = Array::random({9, 8}, 2);
  const Array y = bench.run(layer, x).y;
  for (const char* name : {"a.wq", "a.wk"})
    for (double& w : bench.value(name)) w *= 1000;
  EXPECT_LE(error(bench.run(layer, x).y, y), 1e-4);  // eps = 1e-5 beside a mean square of 0.1
}

TEST(Encoder, ALayerScaleOfZeroIsTheIdentity) {
  EncoderOptions options;
  options.d_model = 8;
  options.n_heads = 2;
  options.norm = NormPlacement::none;
  options.layer_scale = 0.0;
  LayerBench<double> bench({0, 9});
  const Encoder encoder = bench.build([&](Registry& r) { return Encoder(r, "encoder", options); });
  EXPECT_EQ(bench.value("encoder.block1.layer_scale2").shape(), Shape({8}));
  const Array x = Array::random({9, 8}, 2);
  EXPECT_TRUE(same_bits(bench.run(encoder, x).y, x));
}

TEST(Encoder, ALayerScaleMultipliesTheBranch) {
  EncoderOptions options;
  options.d_model = 8;
  options.n_heads = 2;
  options.n_layers = 1;
  options.norm = NormPlacement::none;
  const auto branch = [&](std::optional<double> scale) {
    options.layer_scale = scale;
    LayerBench<double> bench({0, 9});
    const Encoder encoder =
        bench.build([&](Registry& r) { return Encoder(r, "encoder", options); });
    // Of the attention alone: the other branch says nothing.
    for (double& w : bench.value("encoder.block0.mlp.w2")) w = 0;
    const Array x = Array::random({9, 8}, 2);
    Array y = bench.run(encoder, x).y;
    for (Index i = 0; i < y.size(); ++i) y[i] -= x[i];
    return y;
  };
  const Array plain = branch({});
  Array tenth = branch(0.1);
  for (Index i = 0; i < tenth.size(); ++i) tenth[i] *= 10;
  EXPECT_LE(error(tenth, plain), 1e-13);
}

}  // namespace
}  // namespace attune
