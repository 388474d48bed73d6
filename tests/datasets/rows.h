#pragma once

#include <cstdint>
#include <vector>

#include "datasets/data_kinds.h"

namespace attune {

// All that a dataset says of an example.
struct Rows {
  Example example;
  std::vector<std::int32_t> tokens, targets, query_tokens;
  std::vector<float> values, query_values;

  friend bool operator==(const Rows& a, const Rows& b) {
    return a.tokens == b.tokens && a.targets == b.targets && a.query_tokens == b.query_tokens &&
           a.values == b.values && a.query_values == b.query_values &&
           a.example.label == b.example.label;
  }
};

inline Rows rows_of(const Dataset& data, Split split, Index i) {
  Rows rows{data.example(split, i), {}, {}, {}, {}, {}};
  const auto n = static_cast<std::size_t>(rows.example.n_tokens());
  const auto asked = static_cast<std::size_t>(rows.example.n_queries);
  ExampleRows out;
  const auto room = [](auto& values, std::size_t size, auto*& at) {
    values.resize(size);
    if (size > 0) at = values.data();
  };
  room(rows.tokens, data.vocabulary() > 0 ? n : 0, out.tokens);
  room(rows.values, n * static_cast<std::size_t>(data.width()), out.values);
  room(rows.targets, data.row_targets() ? n : asked, out.targets);
  if (const auto queries = data.queries()) {
    room(rows.query_tokens, queries->vocabulary > 0 ? asked : 0, out.query_tokens);
    room(rows.query_values, asked * static_cast<std::size_t>(queries->width), out.query_values);
  }
  data.write(split, i, out);
  return rows;
}

template <class Options>
std::vector<Rows> first(const Options& options, Index seed, Split split, Index n) {
  const auto data = options.open({.seed = seed});
  std::vector<Rows> all;
  for (Index i = 0; i < n; ++i) all.push_back(rows_of(*data, split, i));
  return all;
}

}  // namespace attune
