#include "nn/input_rows.h"

namespace attune {
namespace {

// Tokens begin small (Radford et al. 2019, their code: normal, sd .02).
constexpr double kEmbeddingSd = 0.02;

}  // namespace

InputRows::InputRows(Registry& r, const std::string& path, const RowSpec& spec, Index d)
    : InputRows(r, path, spec.kind, spec.width, spec.vocabulary, d) {}

InputRows::InputRows(Registry& r, const std::string& path, const RowSpec::Queries& spec, Index d)
    : InputRows(r, path, spec.kind, spec.width, spec.vocabulary, d) {}

InputRows::InputRows(Registry& r, const std::string& path, RowSpec::Kind kind, Index width,
                     Index vocabulary, Index d)
    : kind_(kind) {
  if (kind == RowSpec::Kind::tokens) {
    token_ = r.parameter(path + "token.weight", {vocabulary, d}, Initialiser::normal(kEmbeddingSd),
                         Decay::no);
    return;
  }
  const std::string name = path + (kind == RowSpec::Kind::patches ? "patch" : "input");
  linear_ = Linear(r, name + ".weight", name + ".bias", width, d);
}

}  // namespace attune
