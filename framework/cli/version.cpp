#include "cli/version.h"

#include "base/build_facts.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"

namespace attune {

std::string version_page() {
  const BuildFacts& facts = build_facts();
  std::vector<std::string> libraries;
  for (const auto& [name, version] : facts.libraries)
    libraries.push_back(fmt::format("{} {}", name, version));
  using Align = Table::Align;
  Table table({{"", Align::left}, {"", Align::left}});
  table.row({"build", std::string(facts.build_id)});
  table.row({"compiler", std::string(facts.compiler)});
  table.row({"flags", std::string(facts.flags)});
  table.row({"instructions", std::string(facts.isa)});
  table.row({"libraries", join(libraries)});
  return fmt::format("attune {}\n{}", version_text(facts), table.text());
}

std::string version_json() {
  const BuildFacts& facts = build_facts();
  Json libraries = Json::Map{};
  for (const auto& [name, version] : facts.libraries) libraries.set(name, version);
  Json json;
  json.set("version", facts.version).set("build_id", facts.build_id);
  json.set("git_commit", facts.git_commit.empty() ? Json() : Json(facts.git_commit))
      .set("git_dirty", facts.git_dirty);
  json.set("compiler", facts.compiler).set("flags", facts.flags).set("isa", facts.isa);
  json.set("build_type", facts.build_type).set("libraries", std::move(libraries));
  return json.dump() + "\n";
}

}  // namespace attune
