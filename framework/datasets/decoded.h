#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/dataset.h"

// Data whose answers are sequences of tokens; the boundary is behind the tokens, id `vocabulary`.
namespace attune {

RowSpec::Queries decoded_queries(Index vocabulary);

// The classes: the tokens, and "(end)".
std::vector<std::string> with_boundary(std::vector<std::string> tokens);

// The queries and targets of an answer of L tokens, L + 1 each where they are asked for: the
// boundary, then the answer; the answer, then the boundary.
void write_answer(std::span<const std::int32_t> answer, Index vocabulary, const ExampleRows& out);

}  // namespace attune
