// The transformer of two sequences: what it computes, what a decoder may see, and what it refuses.
#include "nn/encoder_decoder.h"

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
using testing::same_bits;
using Array = testing::Array<double>;

EncoderDecoderOptions small() {
  EncoderDecoderOptions o;
  o.d_model = 8;
  o.n_layers = 1;
  o.n_decoder_layers = 2;
  o.n_heads = 2;
  o.mlp_ratio = 1.5;
  return o;
}

Rows looked_up(const PlainLayers& layers, const std::string& path,
               const std::vector<std::int32_t>& tokens, Index begin, Index end) {
  const Rows table = layers.table(path + "token.weight"),
             at = layers.table(path + "position.table");
  Rows rows;
  for (Index i = begin; i < end; ++i)
    rows.push_back(plus(table[static_cast<std::size_t>(tokens[static_cast<std::size_t>(i)])],
                        at[static_cast<std::size_t>(i - begin)]));
  return rows;
}

// Vaswani et al. 2017 with norms in front: each row of the decoder sees those before it and all of
// the encoder's.
Rows plain(const PlainLayers& layers, const Rows& source, Rows x) {
  const Rows memory = layers.norm(layers.block(source, "encoder.block0", 2), "encoder.norm");
  for (const std::string block : {"decoder.block0", "decoder.block1"}) {
    Rows in = layers.norm(x, block + ".norm1");
    x = plus(x, layers.attention(in, in, block + ".attention", 2, true));
    in = layers.norm(x, block + ".norm2");
    x = plus(x, layers.attention(in, memory, block + ".cross_attention", 2));
    x = plus(x, layers.mlp(layers.norm(x, block + ".norm3"), block + ".mlp"));
  }
  return layers.linear(layers.norm(x, "decoder.norm"), "head.weight", "head.bias");
}

TEST(EncoderDecoder, IsItsFormula) {
  QueryBench<double> bench(Asked(), small());
  bench.move_parameters();
  const PlainLayers layers(bench);
  const Array y = bench.logits();
  const std::array<std::array<Index, 4>, 3> examples{{{0, 5, 0, 2}, {5, 6, 2, 5}, {6, 13, 5, 9}}};
  for (const auto& [begin, end, first, last] : examples)
    EXPECT_LE(error(rows_of(y, first, last),
                    testing::array_of(
                        plain(layers, looked_up(layers, "", bench.tokens, begin, end),
                              looked_up(layers, "decoder.", bench.query_tokens, first, last)))),
              1e-12);
}

TEST(EncoderDecoder, NamesItsParametersByTheirPlace) {
  EncoderDecoderOptions o = small();
  o.n_decoder_layers = 1;
  o.layer_scale = 0.1;
  QueryBench<double> bench(Asked(), o);
  std::vector<std::string> names;
  for (const ParameterId id : bench.registry.by_name()) {
    const std::string& name = bench.registry[id].name;
    if (!name.starts_with("encoder.")) names.push_back(name);
  }
  std::vector<std::string> wanted{
      "decoder.norm.bias", "decoder.norm.gain", "decoder.position.table", "decoder.token.weight",
      "head.bias",         "head.weight",       "position.table",         "token.weight"};
  const std::string block = "decoder.block0.";
  for (const char* attention : {"attention.", "cross_attention."})
    for (const char* w : {"wq", "wk", "wv", "wo", "bq", "bk", "bv", "bo"})
      wanted.push_back(block + attention + w);
  for (const char* w : {"w1", "b1", "w2", "b2"}) wanted.push_back(block + "mlp." + w);
  for (const char* i : {"1", "2", "3"}) {
    wanted.push_back(block + "norm" + i + ".gain");
    wanted.push_back(block + "norm" + i + ".bias");
    wanted.push_back(block + "layer_scale" + i);
  }
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(names, wanted);

  QueryBench<double> of_vectors(testing::vectors_about_vectors(), small());
  EXPECT_EQ(of_vectors.value("input.weight").shape(), (Shape{8, 3}));
  EXPECT_EQ(of_vectors.value("decoder.input.weight").shape(), (Shape{8, 2}));
}

TEST(EncoderDecoder, IsDifferentiated) {
  for (const bool decoded : {true, false}) {
    for (const NormPlacement norm : {NormPlacement::pre, NormPlacement::post}) {
      Asked asked = testing::vectors_about_vectors();
      asked.query_tokens = asked.decoded = decoded;
      EncoderDecoderOptions o = small();
      o.norm = norm;
      o.dropout = 0.2;
      o.position = decoded ? Position::rope : Position::learned;
      QueryBench<double> bench(asked, o);
      expect_gradients(bench, bench.of_rows(), asked.width);
    }
  }
}

// One of each kind of attention, where it makes sense.
std::vector<EncoderDecoderOptions> kinds(bool decoded) {
  std::vector<EncoderDecoderOptions> all(4, small());
  all[1].attention.normaliser = kernels::Normaliser::entmax15;
  all[1].attention.bias = kernels::Bias::relative;
  all[1].position = Position::rope;
  all[2].attention.kind = "performer";
  all[2].attention.n_features = 16;
  all[3].attention.kind = decoded ? "linear" : "linformer";
  all[3].attention.k = 3;
  all[3].attention.max_length = 8;
  return all;
}

TEST(EncoderDecoder, ExamplesAreApartAndBitsThoseOfOneThread) {
  for (const EncoderDecoderOptions& o : kinds(true)) testing::expect_examples_apart(o, Asked());
  for (const EncoderDecoderOptions& o : kinds(false))
    testing::expect_examples_apart(o, testing::vectors_about_vectors());
}

TEST(EncoderDecoder, DecodesWithoutSeeingWhatComesLater) {
  for (const EncoderDecoderOptions& o : kinds(true)) testing::expect_no_later_query_seen(o);
}

TEST(EncoderDecoder, QueriesThatAreNotDecodedSeeEachOther) {
  QueryBench<double> bench(testing::vectors_about_vectors().with({0, 7}, {0, 5}), small());
  const Array before = bench.logits();
  bench.queries[4 * 2] += 1;
  EXPECT_GT(error(rows_of(bench.logits(), 0, 1), rows_of(before, 0, 1)), 1e-6);
}

// Memory and queries are sets without positions: permuting the memory changes nothing, permuting
// the queries permutes their answers.
TEST(EncoderDecoder, WithoutPositionsKnowsNoOrder) {
  EncoderDecoderOptions o = small();
  o.position = Position::none;
  QueryBench<double> bench(testing::vectors_about_vectors().with({0, 7}, {0, 2}), o);
  const Array before = bench.logits();
  for (Index j = 0; j < 3; ++j) std::swap(bench.rows[j], bench.rows[5 * 3 + j]);
  EXPECT_LE(error(bench.logits(), before), 1e-14);
  for (Index j = 0; j < 2; ++j) std::swap(bench.queries[j], bench.queries[2 + j]);
  const Array turned = bench.logits();
  EXPECT_LE(error(rows_of(turned, 0, 1), rows_of(before, 1, 2)), 1e-14);
}

// Places of two sequences have no distance. A decoder of one query, whose self-attention has one
// key, answers the same with rope or a bias of positions as without, which cross-attention by
// places would not.
TEST(EncoderDecoder, CrossAttentionKnowsNoPlaces) {
  EncoderDecoderOptions o = small();
  o.n_layers = 0;  // of places the decoder alone could know
  o.position = Position::rope;
  QueryBench<double> turned(Asked().with({0, 7}, {0, 1}), o);
  o.position = Position::none;
  QueryBench<double> plain_one(Asked().with({0, 7}, {0, 1}), o);
  EXPECT_TRUE(same_bits(turned.logits(), plain_one.logits()));
  o.attention.bias = kernels::Bias::alibi;
  QueryBench<double> biased(Asked().with({0, 7}, {0, 1}), o);
  EXPECT_LE(error(biased.logits(), plain_one.logits()), 1e-14);
}

TEST(EncoderDecoder, CapturesSelfAndCrossAttentionInOrder) {
  QueryBench<double> bench(Asked(), small());
  bench.run(
      [&](const Pass<double>& pass, Var x) {
        Capture<double> seen;
        Pass<double> looked = pass;
        looked.capture = &seen;
        const Var y = bench.of_rows()(looked, x);
        EXPECT_EQ(static_cast<Index>(seen.attention.size()), small().n_attentions());
        EXPECT_EQ(seen.blocks.size(), 3U);
        EXPECT_EQ(seen.branches.size(), 8U);
        // Rows with rows, queries with queries, queries with rows.
        const std::vector<std::pair<Index, Index>> wanted{
            {13, 13}, {9, 9}, {9, 13}, {9, 9}, {9, 13}};
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          EXPECT_EQ(pass.tape.shape(seen.attention[i].q)[0], wanted[i].first);
          EXPECT_EQ(pass.tape.shape(seen.attention[i].k)[0], wanted[i].second);
        }
        return y;
      },
      bench.rows);
}

TEST(EncoderDecoder, SaysWhichDataItCannotRead) {
  const auto complaint = [](const EncoderDecoderOptions& o, const RowSpec& spec) {
    const auto found = o.misfit(spec);
    return found ? found->key + ": " + found->message + "; " + found->hint : std::string();
  };
  const RowSpec decoded = Asked().spec(), set = testing::vectors_about_vectors().spec();
  EncoderDecoderOptions o;
  EXPECT_EQ(complaint(o, decoded), "");
  EXPECT_EQ(complaint(o, set), "");
  RowSpec other = decoded;
  other.queries.reset();
  EXPECT_THAT(complaint(o, other), HasSubstr("this data has none; set model.kind=encoder"));
  other = decoded;
  other.kind = RowSpec::Kind::sparse;
  EXPECT_THAT(complaint(o, other), HasSubstr("reads tokens or vectors"));
  o.position = Position::rope_2d;
  EXPECT_THAT(complaint(o, decoded), HasSubstr("needs a grid for position=rope_2d"));
  o = {};
  o.attention.bias = kernels::Bias::alibi_2d;
  EXPECT_THAT(complaint(o, decoded), HasSubstr("attention.bias"));
  o = {};
  o.position_size = decoded.queries->longest - 1;
  EXPECT_THAT(complaint(o, decoded), HasSubstr("position_size: has"));
  EXPECT_EQ(complaint(o, set), "");
  o = {};
  o.attention.kind = "linformer";
  o.attention.k = 2;
  o.attention.max_length = 7;
  EXPECT_THAT(complaint(o, decoded), HasSubstr("must not see what comes after it"));
  EXPECT_THAT(complaint(o, set), HasSubstr("set model.attention.max_length to 8 or more"));
  o.attention.max_length = 8;
  EXPECT_EQ(complaint(o, set), "");
}

}  // namespace
}  // namespace attune
