#include "study/said_of_study.h"

#include <utility>

#include "base/error.h"

namespace attune {

SaidOfStudy SaidOfStudy::taken_from(Document& document) {
  SaidOfStudy said;
  const auto take = [&document](std::string_view key, Node& node) {
    std::erase_if(document.root.entries, [&](Node::Entry& entry) {
      if (entry.key != key) return false;
      node = std::move(entry.value);
      return true;
    });
  };
  take("claims", said.claims);
  take("report", said.report);
  take("registered", said.registered);
  return said;
}

std::string SaidOfStudy::text() const {
  std::string text;
  for (const auto& [key, node] : {std::pair{"claims", &claims}, {"report", &report}})
    if (node->kind != Node::Kind::null) text += fmt::format("{}: {}\n", key, flow_text(*node));
  return text;
}

void SaidOfStudy::set_default_seeds(Document& document, Diagnostics& diagnostics) const {
  if (claims.items.empty() || document.find("seeds") || document.find("repeats")) return;
  const Node ten{.kind = Node::Kind::scalar, .text = "n=10", .entries = {}, .at = claims.at};
  set_value(document, "seeds", ten, claims.at, diagnostics);
}

}  // namespace attune
