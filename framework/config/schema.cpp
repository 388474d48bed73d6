#include <array>
#include <charconv>
#include <vector>

#include "base/text.h"
#include "config/document.h"

namespace attune {
namespace {

constexpr std::string_view kExperiment = "attune/experiment";
constexpr int kVersion = 1;
constexpr std::array<std::string_view, 2> kLater{"attune/sweep", "attune/ablation"};

std::string complaint(const std::string& schema) {
  const auto at = std::min(schema.find('@'), schema.size());
  const std::string name = schema.substr(0, at);
  int version = 0;
  const char* end = schema.data() + schema.size();
  const bool numbered =
      at < schema.size() && std::from_chars(schema.data() + at + 1, end, version).ptr == end;
  if (name == kExperiment && numbered && version == kVersion) return {};
  const std::string reads = fmt::format("this attune reads {}@{}", kExperiment, kVersion);
  if (name == kExperiment && numbered && version > kVersion) {
    return fmt::format("schema={} was written for a newer attune; {}", schema, reads);
  }
  for (std::string_view later : kLater) {
    if (name == later) return fmt::format("schema={} is no experiment; {} only", schema, reads);
  }
  return fmt::format("schema={} is unknown; {}", schema, reads);
}

}  // namespace

bool check_schema(const Document& document, Diagnostics& diagnostics) {
  const Node::Entry* entry = document.root.find("schema");
  if (!entry) {
    diagnostics.error(
        {.at = Origin::of(document.root.at.source),
         .message = fmt::format("schema must be set: schema: {}@{}", kExperiment, kVersion)});
    return true;
  }
  const std::string wrong =
      complaint(entry->value.is_scalar() ? entry->value.text : entry->value.shown());
  if (!wrong.empty()) {
    diagnostics.error(
        {.at = entry->at, .message = wrong, .caret = entry->value.at, .label = "set here"});
  }
  return wrong.empty();
}

}  // namespace attune
