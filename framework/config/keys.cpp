#include "config/keys.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "config/values.h"

namespace attune {
namespace {

std::vector<std::string_view> parts(std::string_view dotted) {
  std::vector<std::string_view> out;
  while (true) {
    const auto dot = dotted.find('.');
    out.push_back(dotted.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    dotted.remove_prefix(dot + 1);
  }
}

// How far a key is from what was written, none when it cannot have been meant: every part is right
// or a slip, counted from the end; leading parts may have been left out, which costs a little.
std::optional<std::size_t> distance(const std::vector<std::string_view>& written,
                                    const std::vector<std::string_view>& known) {
  if (written.size() > known.size()) return std::nullopt;
  const std::size_t left_out = known.size() - written.size();
  std::size_t sum = left_out;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] == known[left_out + i]) continue;
    if (!is_slip(written[i], known[left_out + i])) return std::nullopt;
    sum += 2 * edit_distance(written[i], known[left_out + i]);
  }
  return sum;
}

bool same_meaning(const KeyInfo& a, const KeyInfo& b) {
  const auto meaning = [](const KeyInfo& k) {
    return std::tie(k.key, k.shape, k.type, k.range, k.value, k.nullable, k.required, k.role,
                    k.doc);
  };
  return meaning(a) == meaning(b);
}

}  // namespace

std::string KeyInfo::summary() const {
  std::string out = type + (nullable ? " or null" : "");
  if (!range.empty()) out += ", " + range;
  if (required) return out + ", must be set";
  return value.empty() ? out : out + ", default " + value;
}

KeyIndex::KeyIndex(const FieldList& root) { add(root, "", ""); }

void KeyIndex::add(KeyInfo info) {
  for (KeyInfo& known : keys_) {
    if (!same_meaning(known, info)) continue;
    known.kinds.insert(known.kinds.end(), info.kinds.begin(), info.kinds.end());
    return;
  }
  keys_.push_back(std::move(info));
}

void KeyIndex::add(const FieldList& list, const std::string& prefix, const std::string& kind) {
  const auto info = [&](const std::string& name, KeyInfo::Shape shape, const std::string& doc) {
    KeyInfo k;
    k.key = prefix + name;
    k.shape = shape;
    k.type = "group";
    k.doc = doc;
    if (!kind.empty()) k.kinds = {kind};
    return k;
  };
  for (const FieldList::Entry& entry : list.entries()) {
    if (const auto* f = std::get_if<Field>(&entry)) {
      KeyInfo k = info(f->name, KeyInfo::Shape::leaf, f->doc);
      k.type = type_text(*f);
      k.range = range_text(f->range);
      k.value = f->required ? "" : to_text(f->get());
      k.nullable = f->nullable;
      k.required = f->required;
      k.role = f->role;
      k.choices = f->choices;
      add(std::move(k));
    }
    if (const auto* g = std::get_if<FieldGroup>(&entry)) {
      KeyInfo k = info(g->name, KeyInfo::Shape::group, g->doc);
      k.nullable = g->optional;
      if (g->optional && !g->present()) k.value = "null";
      add(std::move(k));
      add(*g->fields, prefix + g->name + ".", kind);
    }
    if (const auto* v = std::get_if<FieldVariant>(&entry)) {
      add(info(v->name, KeyInfo::Shape::variant, v->doc));
      KeyInfo k = info(v->name + ".kind", KeyInfo::Shape::leaf, v->doc);
      for (const auto& a : v->alternatives) k.choices.push_back(a.kind);
      k.type = join(k.choices, " | ");
      k.value = v->get();
      k.required = k.value.empty();
      add(std::move(k));
      const std::string outer = kind.empty() ? "" : kind + " and ";
      for (const auto& a : v->alternatives) {
        add(*a.fields, prefix + v->name + ".",
            fmt::format("{}{}{}.kind={}", outer, prefix, v->name, a.kind));
      }
    }
  }
}

std::vector<const KeyInfo*> KeyIndex::find(std::string_view dotted) const {
  std::vector<const KeyInfo*> found;
  for (const KeyInfo& k : keys_)
    if (k.key == dotted) found.push_back(&k);
  return found;
}

std::vector<const KeyInfo*> KeyIndex::children(std::string_view group) const {
  std::vector<const KeyInfo*> found;
  for (const KeyInfo& k : keys_) {
    const auto dot = k.key.rfind('.');
    const std::string_view parent =
        dot == std::string::npos ? "" : std::string_view(k.key).substr(0, dot);
    if (parent == group) found.push_back(&k);
  }
  return found;
}

const KeyInfo* KeyIndex::did_you_mean(std::string_view dotted) const {
  const auto written = parts(dotted);
  const KeyInfo* best = nullptr;
  std::size_t least = 0;
  for (const KeyInfo& k : keys_) {
    const auto d = distance(written, parts(k.key));
    if (!d || (best && *d >= least)) continue;
    best = &k;
    least = *d;
  }
  return best ? best : namesake(written.back());
}

const KeyInfo* KeyIndex::namesake(std::string_view name) const {
  const KeyInfo* found = nullptr;
  for (const KeyInfo& k : keys_) {
    if (name == "kind" || parts(k.key).back() != name || (found && found->key == k.key)) continue;
    if (found) return nullptr;
    found = &k;
  }
  return found;
}

std::string KeyIndex::unknown(std::string_view dotted) const {
  const KeyInfo* near = did_you_mean(dotted);
  if (!near) return fmt::format("unknown key '{}'", dotted);
  return fmt::format("unknown key '{}'; did you mean '{}'?  ({})", dotted, near->key,
                     near->summary());
}

}  // namespace attune
