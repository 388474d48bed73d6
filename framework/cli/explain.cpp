#include "cli/explain.h"

#include <algorithm>

#include "base/text.h"
#include "cli/table.h"

namespace attune {
namespace {

// One meaning of a key, and the kinds of study that give it this one.
struct Meaning {
  const KeyInfo* info = nullptr;
  const KeyIndex* index = nullptr;
  std::vector<std::string> kinds;
};

bool same(const KeyInfo& a, const KeyInfo& b) {
  return a.summary() == b.summary() && a.doc == b.doc && a.kinds == b.kinds && a.shape == b.shape;
}

// Keys that are read before it is known what the others are keys of.
const std::vector<KeyInfo>& composition_keys() {
  static const std::vector<KeyInfo> keys = [] {
    KeyInfo schema, defaults;
    schema.key = "schema";
    schema.type = "attune/experiment@1";
    schema.required = true;
    schema.role = Role::study;
    schema.doc = "what the file is, and the version of its keys";
    defaults.key = "defaults";
    defaults.type = "list of GROUP: NAME, and _self_";
    defaults.value = "[_self_]";
    defaults.role = Role::study;
    defaults.doc =
        "group files that the config begins with, a later one wins: model: NAME is "
        "model/NAME.yaml beside the file, in its parents up to configs/, or in attune's own "
        "configs; _self_ is the file itself";
    return std::vector<KeyInfo>{schema, defaults};
  }();
  return keys;
}

std::vector<Meaning> meanings_of(const std::vector<KindKeys>& kinds, const std::string& key) {
  std::vector<Meaning> meanings;
  for (const KeyInfo& info : composition_keys()) {
    if (info.key != key || kinds.empty()) continue;
    meanings.push_back({&info, &kinds.front().index, {}});
    for (const KindKeys& kind : kinds) meanings.back().kinds.push_back(kind.kind);
  }
  for (const KindKeys& kind : kinds)
    for (const KeyInfo* info : kind.index.find(key)) {
      const auto known = std::find_if(meanings.begin(), meanings.end(),
                                      [info](const Meaning& m) { return same(*m.info, *info); });
      if (known != meanings.end()) {
        known->kinds.push_back(kind.kind);
      } else {
        meanings.push_back({info, &kind.index, {kind.kind}});
      }
    }
  if (meanings.empty() && !kinds.empty()) {
    const auto near = std::find_if(kinds.begin(), kinds.end(),
                                   [&key](const KindKeys& k) { return k.index.did_you_mean(key); });
    const KeyIndex& index = near == kinds.end() ? kinds.front().index : near->index;
    throw ConfigError(index.unknown(key) + "; `attune explain` alone lists the keys at the top");
  }
  return meanings;
}

const char* role_text(Role role) {
  switch (role) {
    case Role::result:
      return "result: decides what a trial gives, part of its identity";
    case Role::study:
      return "study: may grow later, finished trials stay";
    case Role::operation:
      return "operation: changes no number, in no run file";
  }
  return "";
}

// "model.kind=vit", and which kinds of study where not all have it.
std::vector<std::string> belongs_to(const Meaning& meaning, std::size_t n_kinds) {
  std::vector<std::string> all = meaning.info->kinds;
  if (meaning.kinds.size() < n_kinds)
    for (const std::string& kind : meaning.kinds) all.push_back("kind=" + kind);
  return all;
}

std::string summary_of(const KeyInfo& info) {
  return info.shape == KeyInfo::Shape::group ? "a group of keys" : info.summary();
}

void add_children(Table& table, const std::vector<const KeyInfo*>& children) {
  for (const KeyInfo* child : children)
    table.row({child->key, fmt::format("{} ({})", child->doc, summary_of(*child))});
}

Json info_json(const Meaning& meaning, std::size_t n_kinds) {
  const KeyInfo& info = *meaning.info;
  static const char* const kRoles[] = {"result", "study", "operation"};
  Json json;
  json.set("key", info.key).set("type", info.type).set("doc", info.doc);
  if (info.shape == KeyInfo::Shape::leaf) {
    json.set("range", info.range.empty() ? Json() : Json(info.range));
    json.set("default", info.required ? Json() : Json(info.value));
    json.set("required", info.required)
        .set("nullable", info.nullable)
        .set("role", kRoles[static_cast<int>(info.role)]);
    if (!info.choices.empty()) json.set("choices", info.choices);
  }
  if (const auto all = belongs_to(meaning, n_kinds); !all.empty()) json.set("belongs_to", all);
  Json keys = Json::List{};
  for (const KeyInfo* child : meaning.index->children(info.key)) keys.push(child->key);
  if (!keys.list()->empty()) json.set("keys", std::move(keys));
  return json;
}

}  // namespace

std::string explain_text(const std::vector<KindKeys>& kinds, const std::string& key,
                         std::size_t width) {
  using Align = Table::Align;
  const std::vector<Table::Column> columns = {{"key", Align::left},
                                              {"meaning (value)", Align::left}};
  if (key.empty()) {
    Table table(columns);
    std::vector<std::string> seen;
    for (const KeyInfo& info : composition_keys()) add_children(table, {&info});
    for (const KindKeys& kind : kinds)
      for (const KeyInfo* child : kind.index.children("")) {
        if (std::find(seen.begin(), seen.end(), child->key) != seen.end()) continue;
        seen.push_back(child->key);
        add_children(table, {child});
      }
    return table.text(width);
  }
  std::string text;
  for (const Meaning& meaning : meanings_of(kinds, key)) {
    if (!text.empty()) text += "\n";
    const KeyInfo& info = *meaning.info;
    text += fmt::format("{}  ({})\n", info.key, summary_of(info));
    Table facts({{"", Align::left}, {"", Align::left}});
    facts.row({"  meaning", info.doc});
    if (const auto all = belongs_to(meaning, kinds.size()); !all.empty())
      facts.row({"  belongs to", join(all)});
    if (info.shape == KeyInfo::Shape::leaf) facts.row({"  role", role_text(info.role)});
    text += facts.text(width);
    const auto children = meaning.index->children(info.key);
    if (children.empty()) continue;
    Table table(columns);
    add_children(table, children);
    text += "\n" + table.text(width);
  }
  return text;
}

Json explain_json(const std::vector<KindKeys>& kinds, const std::string& key) {
  Json json = Json::List{};
  if (key.empty()) {
    for (const KindKeys& kind : kinds)
      for (const KeyInfo* child : kind.index.children(""))
        json.push(info_json({child, &kind.index, {kind.kind}}, kinds.size()));
    return json;
  }
  for (const Meaning& meaning : meanings_of(kinds, key))
    json.push(info_json(meaning, kinds.size()));
  return json;
}

}  // namespace attune
