#include "nn/seq2seq.h"

namespace attune {

std::optional<Complaint> answers_queries(const RowSpec& spec) {
  if (!spec.queries)
    return Complaint{"kind",
                     "answers queries about an example's rows, and this data has none",
                     spec.kind == RowSpec::Kind::patches ? "set model.kind=vit"
                                                         : "set model.kind=encoder or decoder",
                     {}};
  if (spec.kind == RowSpec::Kind::tokens || spec.kind == RowSpec::Kind::vectors)
    return std::nullopt;
  return Complaint{"kind",
                   "reads tokens or vectors, and the rows of this data are neither",
                   "choose data whose rows are tokens or vectors",
                   {}};
}

}  // namespace attune
