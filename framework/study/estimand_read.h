#pragma once

#include "study/claim.h"
#include "study/node_reader.h"

namespace attune {

// The estimand of a claim, resolved against the study's rows. What is wrong goes to the reader's
// diagnostics; then it may be without cells.
Estimand read_estimand(const Node& node, const Study& study, NodeReader& reader);

}  // namespace attune
