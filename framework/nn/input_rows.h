#pragma once

#include <string>

#include "nn/layers.h"
#include "nn/model.h"

namespace attune {

// What the rows of a batch, or its queries, become at a model's door: [n, d]. Tokens are looked up
// in `<path>token.weight`; patches go through `<path>patch.{weight,bias}`, other numbers through
// `<path>input.{weight,bias}`.
class InputRows {
 public:
  InputRows() = default;
  InputRows(Registry& r, const std::string& path, const RowSpec& spec, Index d);
  InputRows(Registry& r, const std::string& path, const RowSpec::Queries& spec, Index d);

  template <class Real>
  Var operator()(const Pass<Real>& pass, const ModelInput& input) const {
    if (kind_ == RowSpec::Kind::tokens) return embedding(pass.tape, pass[token_], input.tokens);
    return linear_(pass, input.values, input.sparse);
  }
  template <class Real>
  Var operator()(const Pass<Real>& pass, const ModelInput::Queries& queries) const {
    if (kind_ == RowSpec::Kind::tokens) return embedding(pass.tape, pass[token_], queries.tokens);
    return linear_(pass, queries.values);
  }
  // Of tokens: [vocabulary, d].
  ParameterId token() const { return token_; }

 private:
  InputRows(Registry& r, const std::string& path, RowSpec::Kind kind, Index width, Index vocabulary,
            Index d);

  RowSpec::Kind kind_ = RowSpec::Kind::vectors;
  Linear linear_;
  ParameterId token_;
};

// The same examples with their queries as the rows: what a decoder sees.
template <class Real>
Pass<Real> with_queries(const Pass<Real>& pass, const ModelInput::Queries& queries) {
  Pass<Real> asked = pass;
  asked.rows = queries.rows;
  asked.coordinates = queries.coordinates;
  asked.places = {};
  return asked;
}

}  // namespace attune
