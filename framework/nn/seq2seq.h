#pragma once

#include "nn/attention_spec.h"
#include "nn/model.h"
#include "nn/positions.h"

// Misfits that several models have; none where there is nothing to complain of.
namespace attune {

// Of a model that reads a sequence or set of tokens or vectors and answers the queries beside it.
std::optional<Complaint> answers_queries(const RowSpec& spec);

// Of a model on rows that lie in no grid.
std::optional<Complaint> needs_a_grid(const PositionSpec& position, const AttentionSpec& attention);

// Of attention that projects up to a number of rows, where an example has `longest`.
std::optional<Complaint> too_long(const AttentionSpec& attention, Index longest);

}  // namespace attune
