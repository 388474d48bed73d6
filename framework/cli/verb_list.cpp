#include <filesystem>

#include "autograd/op.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/find_study.h"
#include "cli/op_page.h"
#include "cli/session.h"
#include "cli/study_state.h"
#include "cli/table.h"
#include "datasets/data_kinds.h"
#include "train/metrics.h"
#include "train/probes.h"

namespace attune {
namespace {

// What is listed: a name, what it is, and for programs more.
struct Item {
  std::string name, doc;
  Json more = Json::Map{};
};

std::vector<Item> listed_kinds(const Session& session) {
  std::vector<Item> items;
  for (const Kind& kind : session.kinds) items.push_back({kind.name, kind.doc});
  return items;
}

std::vector<Item> listed_data(const Session&) {
  std::vector<Item> items;
  for (const DataKind& kind : data_kinds()) items.push_back({kind.name, kind.doc});
  return items;
}

// The alternatives of `model` in any kind of study.
std::vector<Item> listed_models(const Session& session) {
  std::vector<Item> items;
  for (const Kind& kind : session.kinds) {
    const auto options = kind.options();
    FieldList fields;
    options->fields(fields);
    for (const FieldList::Entry& entry : fields.entries()) {
      const auto* variant = std::get_if<FieldVariant>(&entry);
      if (!variant || variant->name != "model") continue;
      for (const auto& model : variant->alternatives) items.push_back({model.kind, model.doc});
    }
  }
  return items;
}

std::vector<Item> listed_ops(const Session&) {
  std::vector<Item> items;
  for (const Op* op : all_ops())
    items.push_back({std::string(op->name), std::string(op->maths), op_json(*op)});
  return items;
}

std::vector<Item> listed_probe_items(const Session&) {
  std::vector<Item> items;
  for (const ProbeInfo& probe : listed_probes()) {
    std::vector<std::string> names;
    Json quantities = Json::List{};
    for (const auto& q : probe.quantities) {
      names.push_back(q.name);
      Json quantity;
      quantity.set("name", q.name).set("units", q.units).set("long_name", q.long_name);
      quantities.push(std::move(quantity));
    }
    Item item{probe.name,
              fmt::format("{} [{}]: {}", probe.doc, join(probe.dimensions), join(names))};
    item.more.set("dimensions", probe.dimensions)
        .set("quantities", std::move(quantities))
        .set("comment", probe.comment);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<Item> listed_metrics(const Session&) {
  std::vector<Item> items;
  for (const MetricInfo& m : classification_metrics()) {
    Item item{m.name, m.long_name};
    item.more.set("units", m.units).set("goal", m.goal);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<Item> listed_studies(const Session& session) {
  const auto& operands = session.command.operands;
  const std::string folder = operands.size() > 1 ? operands[1] : "results";
  std::error_code none;  // no studies yet is no error; a folder that was named must be one
  ATTUNE_CHECK(operands.size() == 1 || std::filesystem::is_directory(folder, none), ConfigError,
               "'{}' is no folder; `attune list studies` looks into results/", folder);
  std::vector<Item> items;
  for (const std::string& name : studies_in(folder)) {
    const StudyFolder study(folder + "/" + name);
    items.push_back({name, state_of(study, session.kinds, Reading::names).counts_text()});
  }
  return items;
}

struct Listing {
  const char* name;
  std::vector<Item> (*items)(const Session&);
};
constexpr Listing kListings[] = {{"kinds", listed_kinds},        {"models", listed_models},
                                 {"data", listed_data},          {"ops", listed_ops},
                                 {"probes", listed_probe_items}, {"metrics", listed_metrics},
                                 {"studies", listed_studies}};

}  // namespace

ExitCode verb_list(Session& session) {
  const std::vector<std::string>& operands = session.command.operands;
  const std::string& what = operands.front();
  ATTUNE_CHECK(operands.size() == 1 || what == "studies", ConfigError,
               "'{}' is one too many: only `list studies` takes a folder", operands.back());
  std::vector<std::string> names;
  for (const Listing& listing : kListings) {
    names.emplace_back(listing.name);
    if (what != listing.name) continue;
    using Align = Table::Align;
    Table table({{"", Align::left}, {"", Align::left}});
    Json json = Json::List{};
    const std::vector<Item> items = listing.items(session);
    if (items.empty() && !session.console.quiet && !session.console.json)
      session.console.err.print("none\n");
    for (const Item& item : items) {
      table.row({item.name, item.doc});
      Json entry;
      entry.set("name", item.name).set("doc", item.doc);
      for (const auto& [key, value] : *item.more.map()) entry.set(key, value);
      json.push(std::move(entry));
    }
    const Output& out = session.console.out;
    out.print(session.console.json ? json.dump() + "\n" : table.text(out.width));
    return ExitCode::ok;
  }
  const auto meant = did_you_mean(what, names);
  throw ConfigError(
      fmt::format("there is no list of '{}'; {}", what,
                  meant ? fmt::format("did you mean '{}'?", *meant) : "lists are " + join(names)));
}

}  // namespace attune
