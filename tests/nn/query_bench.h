#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "nn/model.h"
#include "tests/nn/layer_bench.h"

namespace attune::testing {

// Rows of examples and the queries beside them: tokens of a vocabulary, or vectors of a width.
struct Asked {
  std::vector<std::int32_t> offsets = {0, 5, 6, 13}, query_offsets = {0, 2, 5, 9};
  bool tokens = true, has_queries = true, query_tokens = true, decoded = true;
  Index width = 3, query_width = 2;     // of vectors
  Index vocabulary = 7, n_classes = 6;  // of queries, too, where they are tokens
  Index longest = 8, longest_query = 5;

  RowSpec spec() const {
    RowSpec s;
    s.kind = tokens ? RowSpec::Kind::tokens : RowSpec::Kind::vectors;
    s.width = tokens ? 0 : width;
    s.vocabulary = tokens ? vocabulary : 0;
    s.n_classes = n_classes;
    s.longest = longest;
    if (!has_queries) return s;
    s.queries = RowSpec::Queries{query_tokens ? RowSpec::Kind::tokens : RowSpec::Kind::vectors,
                                 query_tokens ? 0 : query_width, query_tokens ? n_classes : 0,
                                 longest_query, decoded};
    return s;
  }
  // The same data with other examples.
  Asked with(std::vector<std::int32_t> rows, std::vector<std::int32_t> asked) const {
    Asked other = *this;
    other.offsets = std::move(rows);
    other.query_offsets = std::move(asked);
    return other;
  }
};
// Vectors about which vectors ask, which are answered each by itself.
inline Asked vectors_about_vectors() {
  Asked a;
  a.tokens = a.query_tokens = a.decoded = false;
  return a;
}

// A model of such data. run() gives it rows of vectors, or tokens made of the row's number.
template <class Real>
class QueryBench : public LayerBench<Real> {
 public:
  using typename LayerBench<Real>::Array;

  template <class Options>
  QueryBench(const Asked& asked, const Options& given, std::uint64_t seed = 1)
      : LayerBench<Real>(asked.offsets),
        asked_(asked),
        query_offsets_(ids(asked.query_offsets)),
        options_(std::make_shared<Options>(given)),
        model_(this->build([&](Registry& r) { return options_->make(r, asked_.spec()); }, seed)),
        queries(Array::random({asked.query_offsets.back(), asked.query_width}, 12)) {
    query_tokens.reserve(1);  // of no tokens there is a view, too
    for (Index i = 0; i < asked.offsets.back(); ++i)
      tokens.push_back(static_cast<std::int32_t>((5 * i + i * i / 3) % asked.vocabulary));
    for (Index i = 0; i < asked.query_offsets.back(); ++i)
      query_tokens.push_back(static_cast<std::int32_t>((3 * i + i * i / 2) % asked.n_classes));
    rows = Array::random({asked.offsets.back(), asked.width}, 11);
  }

  // Biases begin at 0 and gains at 1, which would hide what forgets them.
  void move_parameters() {
    for (const ParameterId id : this->registry.by_name()) {
      const View<Real> moved = (*this->values)[id];
      for (Index i = 0; i < moved.size(); ++i)
        moved[i] += Real(0.1) * static_cast<Real>(i % 5) - Real(0.2);
    }
  }

  // Logits as a function of the rows' vectors (of tokens they mean nothing).
  auto of_rows() {
    return [this](const Pass<Real>& pass, Var x) {
      ModelInput input;
      if (asked_.tokens) {
        input.tokens = View<const std::int32_t>(tokens.data(), {this->n_rows()});
      } else {
        input.values = x;
      }
      if (!asked_.has_queries) return (*model_)(pass, input);
      const Index n = query_offsets_[this->examples()];
      input.queries.rows = {query_offsets_.view(), pass.rows.example, {}};
      input.queries.coordinates = coordinates_of(input.queries.rows, pass.tape.arena());
      if (asked_.query_tokens) {
        input.queries.tokens = View<const std::int32_t>(query_tokens.data(), {n});
      } else {
        input.queries.values = pass.tape.constant(queries.view());
      }
      return (*model_)(pass, input);
    };
  }
  Array logits() { return this->run(of_rows(), rows).y; }

 private:
  Asked asked_;
  Ids query_offsets_;
  std::shared_ptr<const ModelOptions> options_;  // which the model goes on to read
  std::unique_ptr<Model> model_;

 public:
  std::vector<std::int32_t> tokens, query_tokens;
  Array rows{Shape{0}}, queries;
};

// Answers depend on their own example alone, bit for bit, forward and backward, at any number of
// threads; an example may be without rows, or without queries.
template <class Options>
void expect_examples_apart(const Options& o, const Asked& asked) {
  QueryBench<float> pack(asked.with({0, 5, 5, 12, 13}, {0, 2, 5, 9, 9}), o),
      alone(asked.with({0, 7}, {0, 4}), o);
  const auto cut = [](auto& x, std::ptrdiff_t begin, std::ptrdiff_t end) {
    x = {x.begin() + begin, x.begin() + end};
  };
  alone.tokens = pack.tokens, alone.query_tokens = pack.query_tokens;
  cut(alone.tokens, 5, 12);
  cut(alone.query_tokens, 5, 9);
  alone.rows = rows_of(pack.rows, 5, 12);
  alone.queries = rows_of(pack.queries, 5, 9);
  const auto dy = Array<float>::random({9, asked.n_classes}, 4);
  const auto own_dy = rows_of(dy, 5, 9);
  const auto whole = pack.run(pack.of_rows(), pack.rows, &dy);
  const auto single = alone.run(alone.of_rows(), alone.rows, &own_dy);
  EXPECT_TRUE(same_bits(rows_of(whole.y, 5, 9), single.y));
  EXPECT_TRUE(same_bits(rows_of(whole.dx, 5, 12), single.dx));
  for (Index i = 0; i < whole.y.size(); ++i) ASSERT_TRUE(std::isfinite(whole.y[i]));
  expect_same_on_threads<float>({}, [&] {
    const auto result = pack.run(pack.of_rows(), pack.rows, &dy);
    Array<float> grads({pack.registry.block_size()});
    std::copy(pack.grads->all().begin(), pack.grads->all().end(), grads.view().begin());
    for (Index i = 0; i < grads.size(); ++i) EXPECT_TRUE(std::isfinite(grads[i]));
    return std::vector{result.y, result.dx, grads};
  });
}

// An answer that is decoded sees its example's rows and the queries up to its own, bit for bit.
template <class Options>
void expect_no_later_query_seen(const Options& o) {
  const Asked asked = Asked().with({0, 7}, {0, 5});
  QueryBench<float> bench(asked, o);
  const auto before = bench.logits();
  for (std::size_t i = 3; i < 5; ++i) bench.query_tokens[i] = (bench.query_tokens[i] + 1) % 6;
  const auto after = bench.logits();
  EXPECT_TRUE(same_bits(rows_of(before, 0, 3), rows_of(after, 0, 3)));
  EXPECT_FALSE(same_bits(rows_of(before, 3, 4), rows_of(after, 3, 4)));
  // Nor does it matter how many come after it.
  QueryBench<float> shorter(asked.with({0, 7}, {0, 3}), o);
  EXPECT_TRUE(same_bits(shorter.logits(), rows_of(before, 0, 3)));
}

}  // namespace attune::testing
