#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/shape.h"

namespace attune {

// What a field may change. `result` enters a trial's identity; `study` (seeds, claims) may grow;
// `operation` (output, checkpoint.every, threads) enters nothing and never a run file.
enum class Role { result, study, operation };

// Closed interval of allowed values.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// The value of one leaf, as it stands in a dump, in /config and in `explain`. monostate is YAML's
// null.
using FieldValue = std::variant<std::monostate, bool, Index, double, std::string,
                                std::vector<Index>, std::vector<double>, std::vector<std::string>>;

// A scalar or a list of scalars as written, before it has a type.
struct Literal {
  std::vector<std::string> items;
  bool is_list = false;
};

enum class FieldType { boolean, integer, real, text, path, choice, integers, reals, texts, custom };

class FieldList;

// One key. `set` returns what is wrong with the value (a phrase that follows "key=value "), or
// nothing.
struct Field {
  std::string name, doc;
  FieldType type = FieldType::text;
  Role role = Role::result;
  Range range;
  bool nullable = false;
  bool required = false;             // no default makes sense: the config must set it
  std::vector<std::string> choices;  // type choice
  std::string form;  // type custom: how it may be written, such as "[0, 1], 0-9 or n=10"
  std::function<FieldValue()> get;
  std::function<std::string(const FieldValue&)> set;
  std::function<std::string(const Literal&)> set_literal;  // type custom; null has no items
  std::function<Role()> role_now;                          // where another field decides the role
};

// A nested map. An optional group is switched on by standing in the file, off by `null`.
struct FieldGroup {
  std::string name, doc;
  std::shared_ptr<FieldList> fields;
  bool optional = false;
  std::function<bool()> present;
  std::function<void(bool)> set_present;
};

// A nested map whose key `kind` picks which other keys it has. An empty kind is no default: the
// config must pick one.
struct FieldVariant {
  struct Alternative {
    std::string kind, doc;
    std::shared_ptr<FieldList> fields;
  };
  std::string name, doc;
  std::vector<Alternative> alternatives;
  std::function<std::string()> get;
  std::function<void(const std::string&)> set;
  // The alternative in force.
  const Alternative* chosen() const;
};

// What a rule across fields found. Keys are relative to the list that holds the rule ("n_heads").
struct Complaint {
  std::string key;      // where it points
  std::string message;  // "n_heads=6 does not divide d_model=64"
  std::string hint;     // "valid values near 6: 4, 8"; may be empty
  // Every other key that took part: their origins become notes, and a complaint in which a key
  // takes part whose own value was refused is not shown.
  std::vector<std::string> also;
};

// Data that cannot serve the options it is read with. Keys are whole ("data.split.count"); who
// knows where they were set tells it (study/study_config.h).
class KeyedDataError : public DataError {
 public:
  explicit KeyedDataError(Complaint complaint)
      : DataError(complaint.hint.empty() ? complaint.message
                                         : complaint.message + ". " + complaint.hint),
        complaint_(std::move(complaint)) {}
  const Complaint& complaint() const { return complaint_; }

 private:
  Complaint complaint_;
};

// The one description of a struct's fields: parse, range check, `explain`, completion, dump and
// hash read it. A struct says
//     void fields(FieldList& f) { f.real("lr", lr, {1e-8, 1.0}, Role::result, "learning rate"); }
// and its member initialisers are the only defaults. The list refers to the struct, which must
// outlive it.
class FieldList {
 public:
  void boolean(std::string_view name, bool& value, Role role, std::string_view doc);
  void integer(std::string_view name, Index& value, Range range, Role role, std::string_view doc);
  void integer(std::string_view name, std::optional<Index>& value, Range range, Role role,
               std::string_view doc);
  void real(std::string_view name, double& value, Range range, Role role, std::string_view doc);
  void real(std::string_view name, std::optional<double>& value, Range range, Role role,
            std::string_view doc);
  void text(std::string_view name, std::string& value, Role role, std::string_view doc);
  void text(std::string_view name, std::optional<std::string>& value, Role role,
            std::string_view doc);
  // A file name, relative to the file that names it (to the current folder on the command line).
  void path(std::string_view name, std::optional<std::string>& value, Role role,
            std::string_view doc);
  void integers(std::string_view name, std::vector<Index>& value, Range range, Role role,
                std::string_view doc);
  void reals(std::string_view name, std::vector<double>& value, Range range, Role role,
             std::string_view doc);
  void texts(std::string_view name, std::vector<std::string>& value, Role role,
             std::string_view doc);

  // An enumeration by its words.
  template <class E>
  void choice(std::string_view name, E& value, std::vector<std::pair<std::string, E>> words,
              Role role, std::string_view doc) {
    std::vector<std::string> names;
    for (const auto& [word, unused] : words) names.push_back(word);
    auto get = [&value, words]() -> FieldValue {
      for (const auto& [word, e] : words)
        if (e == value) return word;
      return std::string("?");
    };
    auto set = [&value, words](const FieldValue& v) -> std::string {
      for (const auto& [word, e] : words)
        if (word == std::get<std::string>(v)) {
          value = e;
          return {};
        }
      return "is none of the choices";
    };
    add_choice(name, std::move(names), get, set, role, doc);
  }

  // A field with its own grammar; `from` returns what is wrong or nothing, `to` gives the value
  // that a dump shows.
  void custom(std::string_view name, std::string_view form,
              std::function<std::string(const Literal&)> from, std::function<FieldValue()> to,
              Role role, std::string_view doc);

  template <class T>
  void group(std::string_view name, T& value, std::string_view doc) {
    auto list = std::make_shared<FieldList>();
    value.fields(*list);
    add_group({std::string(name), std::string(doc), std::move(list), false, [] { return true; },
               [](bool) {}});
  }
  template <class T>
  void optional_group(std::string_view name, std::optional<T>& value, std::string_view doc) {
    // The list must refer to a T that exists: one is kept ready, and moved in and out as the group
    // comes and goes.
    auto spare = std::make_shared<T>(value ? *value : T{});
    auto list = std::make_shared<FieldList>();
    spare->fields(*list);
    list->keep_ = spare;
    list->commit_ = [&value, spare] {
      if (value) value = *spare;
    };
    add_group({std::string(name), std::string(doc), std::move(list), true,
               [&value] { return value.has_value(); },
               [&value, spare](bool on) { on ? void(value = *spare) : value.reset(); }});
  }

  // variant("data", kind, {alternative("phantoms", doc, phantoms), alternative("images", doc,
  // images)}, doc)
  template <class T>
  static FieldVariant::Alternative alternative(std::string_view kind, std::string_view doc,
                                               T& value) {
    auto list = std::make_shared<FieldList>();
    value.fields(*list);
    return {std::string(kind), std::string(doc), std::move(list)};
  }
  void variant(std::string_view name, std::string& kind,
               std::vector<FieldVariant::Alternative> alternatives, std::string_view doc);

  // A custom field that null is a value of: `from` then gets a literal without items.
  void nullable(std::string_view name);
  // The role of a field whose meaning another field decides, asked when leaves are listed.
  void role(std::string_view name, std::function<Role()> role);
  // Takes an entry out again: for who reuses a struct of which one part cannot reach him.
  void forget(std::string_view name);
  // The field must be set by the config: its initialiser is no default.
  void require(std::string_view name);

  // A check across fields. Called on values that are valid by themselves: a field whose value was
  // refused keeps its default.
  void rule(std::function<std::optional<Complaint>()> check) { rules_.push_back(std::move(check)); }

  // Entries in the order in which they were declared.
  using Entry = std::variant<Field, FieldGroup, FieldVariant>;
  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<std::function<std::optional<Complaint>()>>& rules() const { return rules_; }
  // Writes what was set back into optional groups; a binder calls it on the root when it is done.
  void commit() const;

 private:
  Field& declared(std::string_view name, std::string_view by);
  void add(Field field) { entries_.emplace_back(std::move(field)); }
  void add_group(FieldGroup group) { entries_.emplace_back(std::move(group)); }
  void add_choice(std::string_view name, std::vector<std::string> names,
                  std::function<FieldValue()> get,
                  std::function<std::string(const FieldValue&)> set, Role role,
                  std::string_view doc);

  std::vector<Entry> entries_;
  std::vector<std::function<std::optional<Complaint>()>> rules_;
  std::shared_ptr<void> keep_;
  std::function<void()> commit_;
};

// One leaf of a resolved config: dotted key, value, role.
struct ConfigLeaf {
  std::string key;
  FieldValue value;
  Role role = Role::result;
  bool is_path = false;  // identity and run files hold a path's file name only
};

// Every leaf in force, depth first in declared order; of a variant its `kind` and the chosen
// alternative's leaves; of an absent optional group one leaf with null.
std::vector<ConfigLeaf> leaves(const FieldList& fields, const std::string& prefix = "");

// "0.001", "[0, 1]", "null": as YAML would read it back to the same value; reals with the fewest
// digits that do.
std::string to_text(const FieldValue& value);

}  // namespace attune
