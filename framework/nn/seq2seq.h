#pragma once

#include "nn/model.h"

namespace attune {

// The misfit of a model that reads a sequence or set of tokens or vectors and answers the queries
// beside it; else none.
std::optional<Complaint> answers_queries(const RowSpec& spec);

}  // namespace attune
