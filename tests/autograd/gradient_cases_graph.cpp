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

}  // namespace

void graph_cases(Cases& cases) { column_cases(cases); }

}  // namespace attune::gradients
