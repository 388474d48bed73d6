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

std::optional<Complaint> needs_a_grid(const PositionSpec& position,
                                      const AttentionSpec& attention) {
  if (position.needs_grid())
    return Complaint{"position",
                     "needs a grid for position=" + position.word() + ", and sequences have none",
                     "set model.position=learned",
                     {}};
  if (!attention.needs_grid()) return std::nullopt;
  return Complaint{"attention.bias",
                   "needs a grid for attention.bias=alibi_2d, and sequences have none",
                   "set model.attention.bias=alibi",
                   {}};
}

std::optional<Complaint> too_long(const AttentionSpec& attention, Index longest) {
  if (attention.kind != "linformer" || longest <= *attention.max_length) return std::nullopt;
  return Complaint{"attention.max_length",
                   fmt::format("projects up to attention.max_length={} rows, and the longest "
                               "example has {}",
                               *attention.max_length, longest),
                   fmt::format("set model.attention.max_length to {} or more", longest),
                   {}};
}

}  // namespace attune
