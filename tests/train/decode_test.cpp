#include "train/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "train/evaluate.h"

namespace attune {
namespace {

constexpr Index kTokens = 6, kLongest = 7;  // and the boundary; tokens of the longest answer

// Answers of 0 … kLongest tokens, tokens drawn by a little rule.
class Answers : public Dataset {
 public:
  RowSpec::Kind row_kind() const override { return RowSpec::Kind::tokens; }
  Index vocabulary() const override { return 2; }
  std::optional<RowSpec::Queries> queries() const override {
    return RowSpec::Queries{
        .kind = RowSpec::Kind::tokens, .vocabulary = kTokens + 1, .decoded = true};
  }
  const std::vector<std::string>& class_names() const override { return names_; }
  Index n_examples(Split) const override { return 20; }
  static TokenSequence answer(Index i) {
    TokenSequence tokens;
    for (Index t = 0; t < i % (kLongest + 1); ++t)
      tokens.push_back(static_cast<std::int32_t>((i * i + 3 * t + 1) % kTokens));
    return tokens;
  }
  Example example(Split, Index i) const override {
    return {.id = 100 + i, .group = i, .rows = 1, .n_queries = std::ssize(answer(i)) + 1};
  }
  void write(Split, Index i, const ExampleRows& out) const override {
    const TokenSequence tokens = answer(i);
    out.tokens[0] = static_cast<std::int32_t>(i % 2);
    out.query_tokens[0] = kTokens;
    std::copy(tokens.begin(), tokens.end(), out.query_tokens + 1);
    std::copy(tokens.begin(), tokens.end(), out.targets);
    out.targets[tokens.size()] = kTokens;
  }
  std::string sha256() const override { return std::string(64, '0'); }

 private:
  std::vector<std::string> names_ = {"a", "b", "c", "d", "e", "f", "end"};
};

// Logits are a row of a table that the token and the example's source pick.
struct Bigrams : ModelOptions, ModelOf<Bigrams> {
  ParameterId table;
  void fields(FieldList&) override {}
  std::optional<Complaint> misfit(const RowSpec&) const override { return {}; }
  std::unique_ptr<Model> make(Registry& r, const RowSpec&) const override {
    auto model = std::make_unique<Bigrams>();
    model->table =
        r.parameter("table", {2 * (kTokens + 1), kTokens + 1}, Initialiser::normal(1), Decay::no);
    return model;
  }
  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const {
    const PackedRows& rows = input.queries.rows;
    const auto picked = pass.tape.arena().template view<std::int32_t>({rows.n_rows()});
    for (Index e = 0; e < rows.n_examples(); ++e)
      for (Index q = rows.offsets[e]; q < rows.offsets[e + 1]; ++q)
        picked[q] =
            static_cast<std::int32_t>(input.tokens[e] * (kTokens + 1)) + input.queries.tokens[q];
    return embedding(pass.tape, pass[table], View<const std::int32_t>(picked));
  }
};

struct Decoding : testing::Test {
  Answers data;
  Bigrams options;
  Batch batch;
  std::vector<Index> all = std::vector<Index>(20);

  Decoding() { std::iota(all.begin(), all.end(), Index{0}); }
  Learner<float> learner(std::uint64_t seed) {
    LearnerOptions of;
    of.model = &options;
    return Learner<float>(of, data.spec(), seed);
  }
  // One token after the other, off the table.
  static TokenSequence step_by_step(const Learner<float>& learner, Index source) {
    const View<const float> table = learner.value(learner.registry().by_name().front());
    TokenSequence tokens;
    for (Index token = kTokens; std::ssize(tokens) < kLongest;) {
      const float* row = table.row(source * (kTokens + 1) + token);
      token = std::max_element(row, row + kTokens + 1) - row;
      if (token == kTokens) break;
      tokens.push_back(static_cast<std::int32_t>(token));
    }
    return tokens;
  }
};

TEST_F(Decoding, IsWhatOneStepAfterTheOtherGives) {
  std::size_t empty = 0, cut = 0, between = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Learner<float> model = learner(seed);
    const std::vector<TokenSequence> found = decode_greedily(
        model, data, Split::test, all, std::vector<TokenSequence>(all.size()), batch);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const TokenSequence wanted = step_by_step(model, all[i] % 2);
      ASSERT_EQ(found[i], wanted) << "seed " << seed << " example " << i;
      (wanted.empty() ? empty : wanted.size() == kLongest ? cut : between) += 1;
    }
  }
  EXPECT_GT(std::min({empty, cut, between}), 100U);
}

TEST_F(Decoding, DoesNotDependOnTheGuess) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Learner<float> model = learner(seed);
    std::vector<TokenSequence> guess;
    for (std::size_t i = 0; i < all.size(); ++i) {
      TokenSequence any;
      for (std::size_t t = 0; t < (i + seed) % 12; ++t)
        any.push_back(static_cast<std::int32_t>((i * 7 + t * 5 + seed) % kTokens));
      guess.push_back(any);
    }
    for (std::size_t i = 0;
         const TokenSequence& tokens : decode_greedily(model, data, Split::test, all, guess, batch))
      EXPECT_EQ(tokens, step_by_step(model, all[i++] % 2)) << "seed " << seed;
  }
}

// Says of every row how many rows there are, by which no sequence comes out again.
struct Restless : Bigrams {
  std::unique_ptr<Model> make(Registry& r, const RowSpec&) const override {
    auto model = std::make_unique<Of>();
    model->table = r.parameter("table", {2, kTokens + 1},
                               Initialiser::values({9, 8, 0, 0, 0, 0, 0,  //
                                                    8, 9, 0, 0, 0, 0, 0}),
                               Decay::no);
    return model;
  }
  struct Of : ModelOf<Of> {
    ParameterId table;
    template <class Real>
    Var forward(const Pass<Real>& pass, const ModelInput& input) const {
      const PackedRows& rows = input.queries.rows;
      const auto picked = pass.tape.arena().template view<std::int32_t>({rows.n_rows()});
      for (Index q = 0; q < rows.n_rows(); ++q)
        picked[q] = static_cast<std::int32_t>((rows.n_rows() + input.queries.tokens[q]) % 2);
      return embedding(pass.tape, pass[table], View<const std::int32_t>(picked));
    }
  };
};

TEST_F(Decoding, EndsForModelsWhoseRowsSeeLaterOnes) {
  const Restless restless;
  LearnerOptions of;
  of.model = &restless;
  Learner<float> model(of, data.spec(), 0);
  const Index one[] = {3};
  const auto found = decode_greedily(model, data, Split::test, one, {{}}, batch);
  EXPECT_LE(std::ssize(found[0]), kLongest);
}

TEST_F(Decoding, MetricsAreThoseOfTheDecodedAnswers) {
  double any_exact = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Learner<float> model = learner(seed);
    const Predictions p = predict(model, data, Split::test, {.batch_size = 3}, batch);
    ASSERT_EQ(p.n_decoded, kLongest);
    double right = 0, places = 0, exact = 0, edits = 0, length = 0;
    for (Index i = 0; i < 20; ++i) {
      const TokenSequence wanted = Answers::answer(i), found = step_by_step(model, i % 2);
      for (std::size_t t = 0; t < kLongest; ++t)
        EXPECT_EQ(p.decoded[static_cast<std::size_t>(i) * kLongest + t],
                  t < found.size() ? found[t] : -1);
      for (std::size_t t = 0; t <= wanted.size(); ++t) {
        const std::int32_t a = t < wanted.size() ? wanted[t] : std::int32_t{kTokens};
        const std::int32_t b = t < found.size()    ? found[t]
                               : t == found.size() ? std::int32_t{kTokens}
                                                   : -1;
        right += a == b;
      }
      places += static_cast<double>(wanted.size()) + 1;
      exact += wanted == found;
      edits += static_cast<double>(edit_distance(found, wanted));
      length += static_cast<double>(wanted.size());
    }
    any_exact += exact;
    const Scored s = scored(p);
    EXPECT_DOUBLE_EQ(*classification_metric("token_accuracy", s), right / places);
    EXPECT_DOUBLE_EQ(*classification_metric("sequence_accuracy", s), exact / 20);
    EXPECT_DOUBLE_EQ(*classification_metric("token_error_rate", s), edits / length);
    EXPECT_DOUBLE_EQ(*classification_metric("sequence_error_rate", s), 1 - exact / 20);
  }
  EXPECT_GT(any_exact, 0);
}

TEST_F(Decoding, MetricsOfAnswersAreAbsentWhereNoneAreDecoded) {
  const Scored plain{2, {0, 1, 1, 0}, {1, 0}};
  for (const MetricInfo& m : classification_metrics()) {
    EXPECT_FALSE(is_of_answers(m.name) && classification_metric(m.name, plain)) << m.name;
  }
}

// By the definition, over all ways to align.
Index least_edits(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  if (a.empty() || b.empty()) return std::ssize(a) + std::ssize(b);
  const Index rest = least_edits(a.subspan(1), b.subspan(1)) + (a[0] == b[0] ? 0 : 1);
  return std::min({rest, least_edits(a.subspan(1), b) + 1, least_edits(a, b.subspan(1)) + 1});
}

TEST(EditDistance, IsTheLeastOverAllAlignments) {
  const auto word = [](std::string_view text) { return TokenSequence(text.begin(), text.end()); };
  EXPECT_EQ(edit_distance(word("kitten"), word("sitting")), 3);
  EXPECT_EQ(edit_distance(word(""), word("abc")), 3);
  EXPECT_EQ(edit_distance(word("abc"), word("")), 3);
  for (std::uint32_t code = 0; code < 4000; code += 7) {
    TokenSequence a, b;
    for (std::uint32_t t = 0, rest = code; t < code % 6; ++t, rest /= 3)
      a.push_back(static_cast<std::int32_t>(rest % 3));
    for (std::uint32_t t = 0, rest = code / 5; t < code / 6 % 6; ++t, rest /= 3)
      b.push_back(static_cast<std::int32_t>(rest % 3));
    EXPECT_EQ(edit_distance(a, b), least_edits(a, b));
  }
}

}  // namespace
}  // namespace attune
