#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/config.h"
#include "config/interpolation.h"
#include "config/values.h"

namespace attune {
namespace {

bool is_open(const Node& node) { return node.is_scalar() && node.text == "???"; }

int layer_of(const Origin& at) { return at.source ? at.source->layer : -1; }

// Where something was overridden: "on the command line", "at configs/a.yaml:5:3".
std::string placed(const Origin& at) {
  return at.on_command_line() ? "on the command line" : "at " + at.text();
}

class Binder {
 public:
  Binder(const Document& document, FieldList& root, Diagnostics& diagnostics)
      : document_(document),
        root_(root),
        diagnostics_(diagnostics),
        index_(root),
        resolver_(document, index_, diagnostics) {}

  Binding bind() {
    bind_list(root_, &document_.root, "", nullptr);
    root_.commit();
    if (document_.complete) check_rules(root_, "");
    Binding binding;
    for (ConfigLeaf& leaf : leaves(root_)) {
      const Node::Entry* entry = entry_at(leaf.key);
      BoundLeaf bound{std::move(leaf), {}, {}};
      if (entry) {
        bound.at = entry->at;
        bound.was = entry->was;
      }
      binding.leaves.push_back(std::move(bound));
    }
    return binding;
  }

 private:
  // The entry of a dotted key as the document gives it, or null.
  const Node::Entry* entry_at(std::string_view dotted) const {
    const auto dot = dotted.rfind('.');
    const Node* parent =
        dot == std::string_view::npos ? &document_.root : document_.find(dotted.substr(0, dot));
    return parent ? parent->find(dot == std::string_view::npos ? dotted : dotted.substr(dot + 1))
                  : nullptr;
  }

  // An error about a value; the key's own value then stays its default.
  void refuse(const std::string& key, const Node::Entry& entry, std::string message,
              std::vector<std::string> hints = {}) {
    refused_.insert(key);
    diagnostics_.error({.at = entry.at,
                        .message = std::move(message),
                        .caret = entry.value.at,
                        .label = "set here",
                        .hints = std::move(hints)});
  }

  // `map` is null where the document gives nothing; `owner` is the entry of the group, null at the
  // root.
  void bind_list(FieldList& list, const Node* map, const std::string& prefix,
                 const Node::Entry* owner) {
    std::set<std::string_view> known;
    for (const FieldList::Entry& entry : list.entries()) {
      const auto given = [&](const std::string& name) {
        known.insert(name);
        return map ? map->find(name) : nullptr;
      };
      if (const auto* f = std::get_if<Field>(&entry)) bind_field(*f, given(f->name), prefix, owner);
      if (const auto* g = std::get_if<FieldGroup>(&entry))
        bind_group(*g, given(g->name), prefix, owner);
      if (const auto* v = std::get_if<FieldVariant>(&entry))
        bind_variant(*v, given(v->name), prefix, owner);
    }
    if (!map) return;
    for (const Node::Entry& entry : map->entries) {
      const bool is_kind = entry.key == "kind" && kinds_.count(prefix + "kind");
      const bool is_schema = prefix.empty() && entry.key == "schema";
      if (!known.count(entry.key) && !is_kind && !is_schema)
        report_unknown(prefix + entry.key, entry, map);
    }
  }

  void report_missing(const std::string& key, const Node::Entry* owner, const std::string& wanted) {
    refused_.insert(key);
    if (!document_.complete) return;
    const Origin at = owner ? owner->at : Origin::of(document_.root.at.source);
    diagnostics_.error({.at = at, .message = fmt::format("{} must be set: {}", key, wanted)});
  }

  void bind_field(const Field& field, const Node::Entry* entry, const std::string& prefix,
                  const Node::Entry* owner) {
    const std::string key = prefix + field.name;
    if (!entry) {
      if (field.required) report_missing(key, owner, field.doc + " (" + type_text(field) + ")");
      return;
    }
    if (entry->value.refused) {
      refused_.insert(key);
      return;
    }
    if (is_open(entry->value)) {
      refuse(key, *entry,
             fmt::format("{} must be set: write {}=VALUE on the command line", key, key));
      return;
    }
    if (entry->value.is_map() && entry->at.on_command_line()) {
      return report_unknown_under(key, entry->value);
    }
    const auto value = resolver_.resolve(entry->value);
    if (!value) {
      refused_.insert(key);
      return;
    }
    const std::string wrong = set_value(field, *value);
    if (wrong.empty()) return;
    const bool says_value = !value->is_map() && !value->shown().empty();
    refuse(key, *entry, fmt::format("{}{} {}", key, says_value ? "=" + value->shown() : "", wrong));
  }

  // A value that the command line writes as a group: model.patch.size=3.
  void report_unknown_under(const std::string& key, const Node& map) {
    const auto infos = index_.find(key);
    refused_.insert(key);
    for (const Node::Entry& inner : map.entries) {
      diagnostics_.error({.at = inner.at,
                          .message = fmt::format("unknown key '{}.{}'; {} is a value ({})", key,
                                                 inner.key, key, infos.front()->summary())});
    }
  }

  void bind_group(const FieldGroup& group, const Node::Entry* entry, const std::string& prefix,
                  const Node::Entry* owner) {
    const std::string key = prefix + group.name;
    if (!entry) {
      if (group.present()) bind_list(*group.fields, nullptr, key + ".", owner);
      return;
    }
    if (is_empty(key, *entry)) return;
    if (entry->value.kind == Node::Kind::null) {
      if (group.optional) return group.set_present(false);
      refuse(key, *entry, fmt::format("{}=null: this group cannot be switched off", key));
      return bind_list(*group.fields, nullptr, key + ".", entry);
    }
    if (!entry->value.is_map()) return report_no_map(key, *entry);
    group.set_present(true);
    bind_list(*group.fields, &entry->value, key + ".", entry);
  }

  // A group that sets nothing: `model:` with all keys under it commented out, which reads as if
  // they were set; or one that was refused as it was read.
  bool is_empty(const std::string& key, const Node::Entry& entry) {
    const bool nothing = entry.value.kind == Node::Kind::null && entry.value.text.empty();
    if (entry.value.refused) {
      refused_.insert(key);
    } else if (nothing) {
      refuse(key, entry, fmt::format("{} is empty; set a key under it, or remove the line", key));
    }
    return nothing || entry.value.refused;
  }

  void bind_variant(const FieldVariant& variant, const Node::Entry* entry,
                    const std::string& prefix, const Node::Entry* owner) {
    const std::string key = prefix + variant.name;
    kinds_[key + ".kind"] = variant.get();
    std::vector<std::string> names;
    for (const auto& a : variant.alternatives) names.push_back(a.kind);
    if (entry && is_empty(key, *entry)) return;
    if (entry && entry->value.kind != Node::Kind::null && !entry->value.is_map())
      return report_no_map(key, *entry);
    if (entry && entry->value.kind == Node::Kind::null) {
      return refuse(key, *entry,
                    fmt::format("{0}=null: write {0}: {{kind: {1}}}", key, join(names, " | ")));
    }
    const Node* map = entry && entry->value.is_map() ? &entry->value : nullptr;
    const Node::Entry* kind = map ? map->find("kind") : nullptr;
    if (kind) {
      Field field;
      field.type = FieldType::choice;
      field.choices = names;
      field.set = [&](const FieldValue& v) {
        variant.set(std::get<std::string>(v));
        return std::string();
      };
      field.name = "kind";
      bind_field(field, kind, key + ".", entry);
      if (refused_.count(key + ".kind")) {
        refused_.insert(key);
        return;
      }
      kinds_[key + ".kind"] = variant.get();
    }
    const auto* chosen = variant.chosen();
    if (!chosen) return report_missing(key + ".kind", entry ? entry : owner, join(names, " | "));
    bind_list(*chosen->fields, map, key + ".", entry ? entry : owner);
  }

  void report_no_map(const std::string& key, const Node::Entry& entry) {
    std::vector<std::string> names;
    for (const KeyInfo* child : index_.children(key))
      names.push_back(child->key.substr(key.size() + 1));
    names.erase(std::unique(names.begin(), names.end()), names.end());
    const bool is_variant = !names.empty() && names.front() == "kind";
    const std::string value = entry.value.shown();
    const std::string first = names.empty() ? "key" : names.front();
    const std::string inner = is_variant && entry.value.is_scalar() ? value : "…";
    const std::string form = entry.at.on_command_line()
                                 ? fmt::format("{}.{}={}", key, first, inner)
                                 : fmt::format("{}: {{{}: {}}}", key, first, inner);
    refuse(key, entry, fmt::format("{}={} is no map of keys; write {}", key, value, form));
  }

  // A key that no field in force has.
  void report_unknown(const std::string& key, const Node::Entry& entry, const Node* map) {
    const auto dot = entry.key.find('.');
    if (dot != std::string::npos) {
      return refuse(
          key, entry,
          fmt::format("'{}' is written with a dot; in a file keys are nested: {}: {{{}: {}}}",
                      entry.key, entry.key.substr(0, dot), entry.key.substr(dot + 1),
                      entry.value.shown()));
    }
    const auto infos = index_.find(key);
    if (!infos.empty()) return report_other_kind(key, entry, map, infos);
    if (entry.at.on_command_line() && entry.value.is_map()) {
      for (const Node::Entry& inner : entry.value.entries)
        report_unknown(key + "." + inner.key, inner, &entry.value);
      return;
    }
    refused_.insert(key);
    if (diagnostics_.count() >
        Diagnostics::kShown) {  // a suggestion for each of 50,000 keys takes long
      return diagnostics_.error({.at = entry.at, .message = fmt::format("unknown key '{}'", key)});
    }
    Diagnostic error{.at = entry.at, .message = index_.unknown(key), .label = "not a key"};
    if (!index_.did_you_mean(key)) {
      const auto last = key.rfind('.');
      const std::string group = last == std::string::npos ? "" : key.substr(0, last);
      std::set<std::string> names;
      for (const KeyInfo* child : index_.children(group))
        if (resolver_.in_force(*child))
          names.insert(child->key.substr(group.empty() ? 0 : last + 1));
      const std::string what = group.empty() ? "the keys are: " : group + " has: ";
      if (!names.empty())
        error.hints.push_back(wrap(what + join({names.begin(), names.end()}), 98, 4));
    }
    diagnostics_.error(std::move(error));
  }

  // A key of a `kind` that is not in force. The kind was chosen by a later layer: dropped, with a
  // note.
  void report_other_kind(const std::string& key, const Node::Entry& entry, const Node* map,
                         const std::vector<const KeyInfo*>& infos) {
    // Of the places where the key is known those that the fewest kinds stand between.
    std::set<std::string> belongs, here;
    std::size_t fewest = std::numeric_limits<std::size_t>::max();
    for (const KeyInfo* info : infos) {
      for (const std::string& conditions : info->kinds) {
        const std::vector<std::string> wanted = failing(conditions);
        if (wanted.empty() || wanted.size() > fewest) continue;
        if (wanted.size() < fewest) belongs.clear(), here.clear();
        fewest = wanted.size();
        belongs.insert(join(wanted, " and "));
        for (const std::string& one : wanted) {
          const std::string kind_key = one.substr(0, one.find('='));
          here.insert(kind_key + "=" + kinds_.at(kind_key));
        }
      }
    }
    const auto words = [](const std::set<std::string>& set, std::string_view between) {
      return join({set.begin(), set.end()}, between);
    };
    const std::string message =
        fmt::format("{} belongs to {}; here {}", key, words(belongs, " or "), words(here, ", "));
    const Node::Entry* kind = map->find("kind");
    if (kind && layer_of(kind->at) > layer_of(entry.at)) {
      diagnostics_.note({.at = entry.at, .message = message + ": dropped"});
      return;
    }
    refused_.insert(key);
    diagnostics_.error({.at = entry.at, .message = message, .label = "not a key of this kind"});
  }

  // Those of "a.kind=x and b.kind=y" that do not hold.
  std::vector<std::string> failing(const std::string& conditions) const {
    std::vector<std::string> found;
    std::string_view rest = conditions;
    while (!rest.empty()) {
      constexpr std::string_view kAnd = " and ";
      const auto end = std::min(rest.find(kAnd), rest.size());
      std::string one(rest.substr(0, end));
      const auto kind = kinds_.find(one.substr(0, one.find('=')));
      if (kind != kinds_.end() && one.substr(one.find('=') + 1) != kind->second)
        found.push_back(std::move(one));
      rest.remove_prefix(std::min(end + kAnd.size(), rest.size()));
    }
    return found;
  }

  void check_rules(const FieldList& list, const std::string& prefix) {
    for (const auto& rule : list.rules()) {
      const auto complaint = rule();
      if (complaint && !is_refused(*complaint, prefix)) report(*complaint, prefix);
    }
    for (const FieldList::Entry& entry : list.entries()) {
      if (const auto* g = std::get_if<FieldGroup>(&entry); g && g->present())
        check_rules(*g->fields, prefix + g->name + ".");
      const auto* v = std::get_if<FieldVariant>(&entry);
      if (v && v->chosen() && !refused_.count(prefix + v->name))
        check_rules(*v->chosen()->fields, prefix + v->name + ".");
    }
  }

  bool is_refused(const Complaint& complaint, const std::string& prefix) const {
    const auto refused = [&](const std::string& name) {
      const std::string key = prefix + name;
      return std::any_of(refused_.begin(), refused_.end(), [&](const std::string& r) {
        return key == r || key.starts_with(r + ".") || r.starts_with(key + ".");
      });
    };
    return refused(complaint.key) ||
           std::any_of(complaint.also.begin(), complaint.also.end(), refused);
  }

  // "n_heads=6 does not divide d_model=64" with the keys' full names.
  static std::string qualified(const Complaint& complaint, const std::string& prefix) {
    std::string message = complaint.message;
    std::vector<std::string> names = complaint.also;
    names.push_back(complaint.key);
    const auto is_word = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
    };
    for (const std::string& name : names) {
      for (std::size_t at = 0; (at = message.find(name + "=", at)) != std::string::npos;
           at += prefix.size() + name.size()) {
        if (at == 0 || !is_word(message[at - 1])) message.insert(at, prefix);
      }
    }
    return message;
  }

  // What the key was before, where, and who overrode it.
  void add_history(const std::string& name, const Node::Entry& entry,
                   std::vector<Remark>& notes) const {
    for (std::size_t i = 0; i < entry.was.size(); ++i) {
      const bool last = i + 1 == entry.was.size();
      const std::string next = last ? entry.value.shown() : entry.was[i + 1].value;
      const Origin& at = last ? entry.at : entry.was[i + 1].at;
      notes.push_back({entry.was[i].at, fmt::format("{} was {} here, overridden to {} {}", name,
                                                    entry.was[i].value, next, placed(at))});
    }
  }

  void report(const Complaint& complaint, const std::string& prefix) {
    Diagnostic error{.at = Origin::of(document_.root.at.source),
                     .message = qualified(complaint, prefix)};
    std::vector<std::string> names = complaint.also;
    names.insert(names.begin(), complaint.key);
    const Node::Entry* pointed = nullptr;
    for (const std::string& name : names) {
      pointed = pointed ? pointed : entry_at(prefix + name);
    }
    const Node::Entry* owner =
        prefix.empty() ? nullptr : entry_at(prefix.substr(0, prefix.size() - 1));
    if (pointed) {
      error.at = pointed->at;
      error.caret = pointed->value.at;
      error.label = "set here";
    } else if (owner) {
      error.at = owner->at;
    }
    for (const std::string& name : names) {
      const Node::Entry* entry = entry_at(prefix + name);
      if (entry) {
        add_history(name, *entry, error.notes);
      } else if (const std::string value = value_of(prefix + name); !value.empty()) {
        error.notes.push_back({{}, fmt::format("{} is {} by default", name, value)});
      }
      if (entry && entry != pointed && entry->was.empty() && !entry->value.is_map()) {
        error.notes.push_back(
            {entry->at, fmt::format("{} is {} here", name, entry->value.shown())});
      }
    }
    if (!complaint.hint.empty()) error.hints.push_back(complaint.hint);
    diagnostics_.error(std::move(error));
  }

  std::string value_of(const std::string& key) const {
    for (const ConfigLeaf& leaf : leaves(root_))
      if (leaf.key == key) return to_text(leaf.value);
    return {};
  }

  const Document& document_;
  FieldList& root_;
  Diagnostics& diagnostics_;
  KeyIndex index_;
  Resolver resolver_;
  std::set<std::string> refused_;             // keys whose value is wrong
  std::map<std::string, std::string> kinds_;  // "model.kind" -> the kind in force
};

}  // namespace

const BoundLeaf* Binding::find(std::string_view key) const {
  const auto found = std::find_if(leaves.begin(), leaves.end(),
                                  [&](const BoundLeaf& b) { return b.leaf.key == key; });
  return found == leaves.end() ? nullptr : &*found;
}

Binding bind(const Document& document, FieldList& root, Diagnostics& diagnostics) {
  return Binder(document, root, diagnostics).bind();
}

}  // namespace attune
