#include <algorithm>

#include "base/text.h"
#include "config/config.h"

namespace attune {
namespace {

constexpr std::size_t kLongestAligned = 48;

// A reference in a text must not be one when it is read back.
std::string escaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) out += '\\';
    out += text[i];
  }
  return out;
}

FieldValue escaped(FieldValue value) {
  if (auto* text = std::get_if<std::string>(&value)) *text = escaped(*text);
  if (auto* texts = std::get_if<std::vector<std::string>>(&value))
    for (std::string& t : *texts) t = escaped(t);
  return value;
}

void dump_list(const FieldList& list, const std::string& indent, std::string& out) {
  const auto line = [&](const std::string& key, const FieldValue& value) {
    out += fmt::format("{}{}: {}\n", indent, key, to_text(escaped(value)));
  };
  for (const FieldList::Entry& entry : list.entries()) {
    if (const auto* f = std::get_if<Field>(&entry)) line(f->name, f->get());
    if (const auto* g = std::get_if<FieldGroup>(&entry)) {
      if (!g->present()) {
        line(g->name, FieldValue());
      } else if (g->fields->entries().empty()) {
        out += fmt::format("{}{}: {{}}\n", indent, g->name);
      } else {
        out += fmt::format("{}{}:\n", indent, g->name);
        dump_list(*g->fields, indent + "  ", out);
      }
    }
    if (const auto* v = std::get_if<FieldVariant>(&entry)) {
      const auto* chosen = v->chosen();
      if (!chosen) continue;
      out += fmt::format("{0}{1}:\n{0}  kind: {2}\n", indent, v->name, to_text(chosen->kind));
      dump_list(*chosen->fields, indent + "  ", out);
    }
  }
}

}  // namespace

std::string dump(const FieldList& root, std::string_view schema) {
  const bool has_schema =
      std::any_of(root.entries().begin(), root.entries().end(), [](const FieldList::Entry& entry) {
        const auto* f = std::get_if<Field>(&entry);
        return f && f->name == "schema";
      });
  std::string out = has_schema ? "" : fmt::format("schema: {}\n", schema);
  dump_list(root, "", out);
  return out;
}

std::string dump(const std::vector<ConfigLeaf>& leaves, std::string_view schema) {
  std::string out = fmt::format("schema: {}\n", schema);
  std::vector<std::string_view> open;  // the groups that the last line stands in
  for (const ConfigLeaf& leaf : leaves) {
    std::vector<std::string_view> path = split(leaf.key, '.');
    const std::string_view name = path.back();
    path.pop_back();
    std::size_t common = 0;
    while (common < path.size() && common < open.size() && path[common] == open[common]) ++common;
    for (std::size_t i = common; i < path.size(); ++i)
      out += fmt::format("{:{}}{}:\n", "", 2 * i, path[i]);
    out += fmt::format("{:{}}{}: {}\n", "", 2 * path.size(), name, to_text(escaped(leaf.value)));
    open = path;
  }
  return out;
}

std::string origin_text(const BoundLeaf& leaf) {
  std::vector<std::string> before;
  for (auto was = leaf.was.rbegin(); was != leaf.was.rend(); ++was) {
    before.push_back(fmt::format("was {} {} {}", was->value,
                                 was->at.on_command_line() ? "on the" : "at", was->at.text()));
  }
  return leaf.at.text() + (before.empty() ? "" : " (" + join(before) + ")");
}

std::string origins(const Binding& binding) {
  std::vector<std::string> left;
  std::size_t width = 0;
  for (const BoundLeaf& b : binding.leaves) {
    left.push_back(b.leaf.key + " = " + to_text(b.leaf.value));
    if (const std::size_t columns = display_width(left.back()); columns <= kLongestAligned)
      width = std::max(width, columns);
  }
  std::string out;
  for (std::size_t i = 0; i < left.size(); ++i) {
    out += fmt::format("{}   <- {}\n", pad_right(left[i], width), origin_text(binding.leaves[i]));
  }
  return out;
}

}  // namespace attune
