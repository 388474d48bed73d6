#include "datasets/decoded.h"

#include <algorithm>

namespace attune {

RowSpec::Queries decoded_queries(Index vocabulary) {
  return {.kind = RowSpec::Kind::tokens, .vocabulary = vocabulary + 1, .decoded = true};
}

std::vector<std::string> with_boundary(std::vector<std::string> tokens) {
  tokens.emplace_back("(end)");
  return tokens;
}

void write_answer(std::span<const std::int32_t> answer, Index vocabulary, const ExampleRows& out) {
  const auto boundary = static_cast<std::int32_t>(vocabulary);
  if (out.query_tokens) {
    *out.query_tokens = boundary;
    std::copy(answer.begin(), answer.end(), out.query_tokens + 1);
  }
  if (out.targets) *std::copy(answer.begin(), answer.end(), out.targets) = boundary;
}

}  // namespace attune
