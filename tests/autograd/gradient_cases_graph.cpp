#include "tests/autograd/gradient_cases.h"

namespace attune::gradients {
namespace {

void column_cases(Cases& cases) {
  for (const Shape& s : kMatrices) {
    const Index n = s[0], d = s[1];
    cases["elu"].push_back(
        {s.text(), {input("x", s, 3)}, [](auto& t, auto v) { return elu(t, v[0]); }});
    cases["concat_columns"].push_back(
        {s.text(), {input("a", s), input("b", {n, 3})}, [](auto& t, auto v) {
           return concat_columns(t, v[0], v[1]);
         }});
    cases["mean_heads"].push_back({s.text(), {input("x", {n, 3 * d})}, [](auto& t, auto v) {
                                     return mean_heads(t, v[0], 3);
                                   }});
  }
  for (const Ids& o : kOffsets) {
    const std::string what = std::to_string(rows(o)) + " rows in " + std::to_string(examples(o));
    cases["sum_pool"].push_back({what, {input("x", {rows(o), 5})}, [&o](auto& t, auto v) {
                                   return sum_pool(t, v[0], view(o));
                                 }});
    cases["repeat_rows"].push_back({what, {input("x", {examples(o), 5})}, [&o](auto& t, auto v) {
                                      return repeat_rows(t, v[0], view(o));
                                    }});
  }
}

// Rows without entries, columns that stand twice.
void sparse_cases(Cases& cases) {
  static const Ids indptr = {0, 3, 3, 4, 8}, indices = {2, 0, 2, 5, 1, 4, 4, 0};
  const SparseRows rows{view(indptr), view(indices)};
  for (const Index d : {1, 2, 5, 16, 70}) {
    cases["sparse_linear"].push_back(
        {std::to_string(d) + " columns",
         {input("values", {8}), input("weight", {d, 6}), input("bias", {d})},
         [rows](auto& t, auto v) { return sparse_linear(t, v[0], rows, v[1], v[2]); }});
  }
  for (const double p : {0.0, 0.2, 0.4, 0.5, 0.8}) {
    cases["sparse_dropout"].push_back(
        {"p " + std::to_string(p), {input("values", {8})}, [rows, p](auto& t, auto v) {
           return sparse_dropout(t, v[0], rows, coordinates(t, 4), {.p = p, .key = 5, .step = 3});
         }});
  }
}

}  // namespace

void graph_cases(Cases& cases) {
  column_cases(cases);
  sparse_cases(cases);
}

}  // namespace attune::gradients
