// Latents that read any number of rows: their formula, with queries and without.
#include "nn/perceiver.h"

#include <gmock/gmock.h>

#include "kernels/attention/parts.h"
#include "tests/nn/plain_layers.h"
#include "tests/nn/query_bench.h"

namespace attune {
namespace {

using testing::Asked;
using testing::error;
using ::testing::HasSubstr;
using testing::PlainLayers;
using testing::plus;
using testing::QueryBench;
using testing::Rows;
using testing::rows_of;
using Array = testing::Array<double>;

PerceiverOptions small(Index n_reads = 2, bool share = false) {
  PerceiverOptions o;
  o.d_model = 8;
  o.n_layers = 1;
  o.n_heads = 2;
  o.mlp_ratio = 1.5;
  o.n_latents = 3;
  o.n_reads = n_reads;
  o.share_reads = share;
  o.position = Position::none;
  return o;
}

// Jaegle et al. 2021 with norms in front of everything that attends or feeds forward.
class PlainPerceiver {
 public:
  PlainPerceiver(LayerBench<double>& bench, const PerceiverOptions& o) : layers_(bench), o_(o) {}

  Rows latents(const Rows& vectors) const {
    const Rows rows = layers_.linear(vectors, "input.weight", "input.bias");
    Rows x = layers_.table("latents");
    for (Index i = 0; i < o_.n_reads; ++i) {
      const std::string number = std::to_string(o_.share_reads ? 0 : i);
      x = crossed(x, rows, "read" + number);
      x = layers_.block(x, "encoder" + number + ".block0", 2);
    }
    return layers_.norm(x, "norm");
  }
  Rows example(const Rows& vectors) const {
    return layers_.linear(Rows{testing::mean_of(latents(vectors), 8)}, "head.weight", "head.bias");
  }
  Rows answers(const Rows& vectors, const Rows& queries) const {
    const Rows y = crossed(layers_.linear(queries, "decoder.input.weight", "decoder.input.bias"),
                           latents(vectors), "decoder");
    return layers_.linear(layers_.norm(y, "decoder.norm"), "head.weight", "head.bias");
  }

 private:
  Rows crossed(const Rows& x, const Rows& memory, const std::string& path) const {
    const Rows y = plus(
        x, layers_.attention(layers_.norm(x, path + ".norm1"),
                             layers_.norm(memory, path + ".norm_memory"), path + ".attention", 2));
    return plus(y, layers_.mlp(layers_.norm(y, path + ".norm2"), path + ".mlp"));
  }
  PlainLayers layers_;
  const PerceiverOptions& o_;
};

const std::vector<std::int32_t> kRows{0, 5, 5, 12}, kQueries{0, 2, 5, 9};

TEST(Perceiver, AnswersForAnExampleByTheMeanOfItsLatents) {
  for (const bool share : {false, true}) {
    const PerceiverOptions o = small(2, share);
    Asked asked = testing::vectors_about_vectors().with(kRows, kQueries);
    asked.has_queries = false;
    QueryBench<double> bench(asked, o);
    bench.move_parameters();
    const Array y = bench.logits();
    ASSERT_EQ(y.shape(), (Shape{3, asked.n_classes}));
    const PlainPerceiver plain(bench, o);
    for (Index e = 0; e < 3; ++e) {
      const auto i = static_cast<std::size_t>(e);
      EXPECT_LE(error(rows_of(y, e, e + 1), testing::array_of(plain.example(testing::taken(
                                                bench.rows, kRows[i], kRows[i + 1])))),
                1e-12)
          << "example " << e;
    }
    expect_gradients(bench, bench.of_rows(), asked.width);
  }
}

TEST(Perceiver, AnswersQueriesThatAttendToItsLatents) {
  const PerceiverOptions o = small();
  const Asked asked = testing::vectors_about_vectors().with(kRows, kQueries);
  QueryBench<double> bench(asked, o);
  bench.move_parameters();
  const Array y = bench.logits();
  const PlainPerceiver plain(bench, o);
  for (std::size_t e = 0; e < 3; ++e)
    EXPECT_LE(error(rows_of(y, kQueries[e], kQueries[e + 1]),
                    testing::array_of(plain.answers(
                        testing::taken(bench.rows, kRows[e], kRows[e + 1]),
                        testing::taken(bench.queries, kQueries[e], kQueries[e + 1])))),
              1e-12)
        << "example " << e;
  expect_gradients(bench, bench.of_rows(), asked.width);
}

TEST(Perceiver, SharesTheWeightsOfItsReadings) {
  Asked asked = testing::vectors_about_vectors();
  QueryBench<double> own(asked, small(3)), shared(asked, small(3, true)), once(asked, small(1));
  EXPECT_EQ(shared.registry.n_parameters(), once.registry.n_parameters());
  EXPECT_GT(own.registry.n_parameters(), once.registry.n_parameters());
  EXPECT_EQ(own.value("encoder2.block0.attention.wq").shape(), (Shape{8, 8}));
}

TEST(Perceiver, ExamplesAreApartAndBitsThoseOfOneThread) {
  PerceiverOptions o = small();
  testing::expect_examples_apart(o, testing::vectors_about_vectors());
  o.position = Position::learned;
  o.attention.kind = "linformer";
  o.attention.k = 2;
  o.attention.max_length = 8;
  testing::expect_examples_apart(o, Asked());
  testing::expect_no_later_query_seen(o);
}

TEST(Perceiver, WithoutPositionsKnowsNoOrderOfRows) {
  QueryBench<double> bench(testing::vectors_about_vectors().with({0, 7}, {0, 2}), small());
  const Array before = bench.logits();
  for (Index j = 0; j < 3; ++j) std::swap(bench.rows[j], bench.rows[5 * 3 + j]);
  EXPECT_LE(error(bench.logits(), before), 1e-13);
}

TEST(Perceiver, ReadsPatchesInTheirGrid) {
  RowSpec spec;
  spec.kind = RowSpec::Kind::patches;
  spec.width = 3, spec.n_classes = 2, spec.longest = 12;
  PerceiverOptions o = small();
  o.position = Position::factorised_2d;
  EXPECT_FALSE(o.misfit(spec));
  LayerBench<double> bench({0, 6, 10}, {2, 3, 4, 1});
  const auto model = bench.build([&](Registry& r) { return o.make(r, spec); });
  const auto of_patches = [&](const Pass<double>& pass, Var x) { return (*model)(pass, {x}); };
  EXPECT_EQ(bench.value("patch.weight").shape(), (Shape{8, 3}));
  expect_gradients(bench, of_patches, 3);
}

TEST(Perceiver, SaysWhatItCannotRead) {
  RowSpec spec = testing::vectors_about_vectors().spec();
  EXPECT_FALSE(PerceiverOptions().misfit(spec));
  spec.queries.reset();
  EXPECT_FALSE(PerceiverOptions().misfit(spec));
  PerceiverOptions o;
  o.position = Position::factorised_2d;
  EXPECT_THAT(o.misfit(spec)->message, HasSubstr("needs a grid for position=factorised_2d"));
  o = {};
  o.attention.kind = "linformer";
  o.attention.k = 2;
  o.attention.max_length = 15;
  EXPECT_THAT(o.misfit(spec)->hint, HasSubstr("max_length to 16"));
  spec.row_targets = true;
  EXPECT_THAT(PerceiverOptions().misfit(spec)->message, HasSubstr("every row has a target"));
}

TEST(Perceiver, RefusesWhatGoesByPlacesOfLatents) {
  const auto complaints = [](auto set) {
    PerceiverOptions o;
    set(o);
    FieldList f;
    o.fields(f);
    std::string all;
    for (const auto& rule : f.rules())
      if (const auto found = rule()) all += found->key + ": " + found->message + "\n";
    return all;
  };
  EXPECT_EQ(complaints([](auto&) {}), "");
  EXPECT_THAT(complaints([](auto& o) { o.position = Position::rope; }),
              HasSubstr("position: position=rope turns keys"));
  EXPECT_THAT(complaints([](auto& o) { o.attention.pattern = kernels::Pattern::causal; }),
              HasSubstr("attention.pattern: attention.pattern goes by the places of rows"));
  EXPECT_THAT(complaints([](auto& o) { o.attention.bias = kernels::Bias::alibi; }),
              HasSubstr("attention.bias: attention.bias goes by"));
}

}  // namespace
}  // namespace attune
