#include "base/fields.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace attune {
namespace {

Field field(std::string_view name, FieldType type, Range range, Role role, std::string_view doc) {
  Field f;
  f.name = name;
  f.doc = doc;
  f.type = type;
  f.role = role;
  f.range = range;
  return f;
}

template <class T>
Field value_field(Field f, T& value) {
  f.get = [&value]() -> FieldValue { return value; };
  f.set = [&value](const FieldValue& v) -> std::string {
    value = std::get<T>(v);
    return {};
  };
  return f;
}

template <class T>
Field optional_field(Field f, std::optional<T>& value) {
  f.nullable = true;
  f.get = [&value]() -> FieldValue { return value ? FieldValue(*value) : FieldValue(); };
  f.set = [&value](const FieldValue& v) -> std::string {
    if (std::holds_alternative<std::monostate>(v)) {
      value.reset();
    } else {
      value = std::get<T>(v);
    }
    return {};
  };
  return f;
}

std::string real_text(double x) {
  if (std::isnan(x)) return ".nan";
  if (std::isinf(x)) return x > 0 ? ".inf" : "-.inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, x).ptr;
  std::string s(buffer, end);
  // A real stays a real for every YAML reader: digits, a point, and a point before an exponent
  // (PyYAML wants it).
  const auto e = s.find('e');
  if (s.find('.') == std::string::npos) s.insert(e == std::string::npos ? s.size() : e, ".0");
  return s;
}

std::string quoted_if_needed(const std::string& s) {
  const bool plain =
      !s.empty() &&
      s.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") ==
          std::string::npos &&
      (std::isalpha(static_cast<unsigned char>(s[0])) || s[0] == '_' || s[0] == '/');
  static const char* const kReserved[] = {"null", "true", "false", "yes", "no",
                                          "on",   "off",  "y",     "n"};
  std::string lower = s;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  bool reserved = false;
  for (const char* word : kReserved) reserved = reserved || lower == word;
  if (plain && !reserved) return s;
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

template <class T, class F>
std::string list_text(const std::vector<T>& items, F one) {
  std::string s = "[";
  for (std::size_t i = 0; i < items.size(); ++i) s += (i ? ", " : "") + one(items[i]);
  return s + "]";
}

struct TextOf {
  std::string operator()(std::monostate) const { return "null"; }
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(Index i) const { return std::to_string(i); }
  std::string operator()(double x) const { return real_text(x); }
  std::string operator()(const std::string& s) const { return quoted_if_needed(s); }
  template <class T>
  std::string operator()(const std::vector<T>& items) const {
    return list_text(items, *this);
  }
};

}  // namespace

const FieldVariant::Alternative* FieldVariant::chosen() const {
  for (const Alternative& a : alternatives)
    if (a.kind == get()) return &a;
  return nullptr;
}

void FieldList::boolean(std::string_view name, bool& value, Role role, std::string_view doc) {
  add(value_field(field(name, FieldType::boolean, {}, role, doc), value));
}
void FieldList::integer(std::string_view name, Index& value, Range range, Role role,
                        std::string_view doc) {
  add(value_field(field(name, FieldType::integer, range, role, doc), value));
}
void FieldList::integer(std::string_view name, std::optional<Index>& value, Range range, Role role,
                        std::string_view doc) {
  add(optional_field(field(name, FieldType::integer, range, role, doc), value));
}
void FieldList::real(std::string_view name, double& value, Range range, Role role,
                     std::string_view doc) {
  add(value_field(field(name, FieldType::real, range, role, doc), value));
}
void FieldList::real(std::string_view name, std::optional<double>& value, Range range, Role role,
                     std::string_view doc) {
  add(optional_field(field(name, FieldType::real, range, role, doc), value));
}
void FieldList::text(std::string_view name, std::string& value, Role role, std::string_view doc) {
  add(value_field(field(name, FieldType::text, {}, role, doc), value));
}
void FieldList::text(std::string_view name, std::optional<std::string>& value, Role role,
                     std::string_view doc) {
  add(optional_field(field(name, FieldType::text, {}, role, doc), value));
}
void FieldList::path(std::string_view name, std::optional<std::string>& value, Role role,
                     std::string_view doc) {
  add(optional_field(field(name, FieldType::path, {}, role, doc), value));
}
void FieldList::integers(std::string_view name, std::vector<Index>& value, Range range, Role role,
                         std::string_view doc) {
  add(value_field(field(name, FieldType::integers, range, role, doc), value));
}
void FieldList::reals(std::string_view name, std::vector<double>& value, Range range, Role role,
                      std::string_view doc) {
  add(value_field(field(name, FieldType::reals, range, role, doc), value));
}
void FieldList::texts(std::string_view name, std::vector<std::string>& value, Role role,
                      std::string_view doc) {
  add(value_field(field(name, FieldType::texts, {}, role, doc), value));
}

void FieldList::add_choice(std::string_view name, std::vector<std::string> names,
                           std::function<FieldValue()> get,
                           std::function<std::string(const FieldValue&)> set, Role role,
                           std::string_view doc) {
  Field f = field(name, FieldType::choice, {}, role, doc);
  f.choices = std::move(names);
  f.get = std::move(get);
  f.set = std::move(set);
  add(std::move(f));
}

void FieldList::custom(std::string_view name, std::string_view form,
                       std::function<std::string(const Literal&)> from,
                       std::function<FieldValue()> to, Role role, std::string_view doc) {
  Field f = field(name, FieldType::custom, {}, role, doc);
  f.form = form;
  f.set_literal = std::move(from);
  f.get = std::move(to);
  add(std::move(f));
}

void FieldList::variant(std::string_view name, std::string& kind,
                        std::vector<FieldVariant::Alternative> alternatives, std::string_view doc) {
  entries_.emplace_back(FieldVariant{std::string(name), std::string(doc), std::move(alternatives),
                                     [&kind] { return kind; },
                                     [&kind](const std::string& k) { kind = k; }});
}

Field& FieldList::declared(std::string_view name, std::string_view by) {
  for (Entry& entry : entries_)
    if (auto* f = std::get_if<Field>(&entry); f && f->name == name) return *f;
  throw std::logic_error(fmt::format("{}(\"{}\"): no such field was declared", by, name));
}

void FieldList::require(std::string_view name) { declared(name, "require").required = true; }
void FieldList::nullable(std::string_view name) { declared(name, "nullable").nullable = true; }
void FieldList::forget(std::string_view name) {
  std::erase_if(entries_, [name](const Entry& entry) {
    return std::visit([name](const auto& e) { return e.name == name; }, entry);
  });
}
void FieldList::role(std::string_view name, std::function<Role()> role) {
  declared(name, "role").role_now = std::move(role);
}

void FieldList::commit() const {
  for (const Entry& entry : entries_) {
    if (const auto* g = std::get_if<FieldGroup>(&entry)) g->fields->commit();
    if (const auto* v = std::get_if<FieldVariant>(&entry))
      for (const auto& a : v->alternatives) a.fields->commit();
  }
  if (commit_) commit_();
}

std::vector<ConfigLeaf> leaves(const FieldList& fields, const std::string& prefix) {
  std::vector<ConfigLeaf> out;
  const auto append = [&out](std::vector<ConfigLeaf> more) {
    for (ConfigLeaf& leaf : more) out.push_back(std::move(leaf));
  };
  for (const FieldList::Entry& entry : fields.entries()) {
    if (const auto* f = std::get_if<Field>(&entry))
      out.push_back({prefix + f->name, f->get(), f->role_now ? f->role_now() : f->role,
                     f->type == FieldType::path});
    if (const auto* g = std::get_if<FieldGroup>(&entry)) {
      if (g->present()) {
        append(leaves(*g->fields, prefix + g->name + "."));
      } else {
        out.push_back({prefix + g->name, FieldValue(), Role::result, false});
      }
    }
    if (const auto* v = std::get_if<FieldVariant>(&entry)) {
      out.push_back({prefix + v->name + ".kind", v->get(), Role::result, false});
      if (const auto* chosen = v->chosen()) append(leaves(*chosen->fields, prefix + v->name + "."));
    }
  }
  return out;
}

std::string to_text(const FieldValue& value) { return std::visit(TextOf{}, value); }

}  // namespace attune
