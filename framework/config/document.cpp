#include "config/document.h"

#include <algorithm>

#include "base/text.h"

namespace attune {
namespace {

constexpr std::size_t kShownColumns = 60;

void append(const Node& node, std::string& out) {
  if (out.size() > 4 * kShownColumns) return;
  switch (node.kind) {
    case Node::Kind::null:
      out += node.text;
      break;
    case Node::Kind::scalar:
      out += node.quoted ? "'" + node.text + "'" : node.text;
      break;
    case Node::Kind::list:
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ", ";
        append(node.items[i], out);
      }
      out += ']';
      break;
    case Node::Kind::map:
      out += '{';
      for (std::size_t i = 0; i < node.entries.size(); ++i) {
        out += (i > 0 ? ", " : "") + node.entries[i].key + ": ";
        append(node.entries[i].value, out);
      }
      out += '}';
      break;
  }
}

}  // namespace

const Node::Entry* Node::find(std::string_view key) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &*found;
}
Node::Entry* Node::find(std::string_view key) {
  return const_cast<Entry*>(std::as_const(*this).find(key));
}

std::string Node::shown() const {
  std::string all;
  append(*this, all);
  std::replace(all.begin(), all.end(), '\n', ' ');
  if (display_width(all) <= kShownColumns) return all;
  std::string cut;
  for (std::size_t i = 0; display_width(cut) < kShownColumns - 1 && i < all.size();) {
    const std::size_t bytes = code_point_bytes(all, i);
    cut += all.substr(i, bytes);
    i += bytes;
  }
  return cut + "…";
}

const Node* Document::find(std::string_view dotted) const {
  const Node* node = &root;
  while (node && !dotted.empty()) {
    const auto dot = std::min(dotted.find('.'), dotted.size());
    const Node::Entry* entry = node->find(dotted.substr(0, dot));
    node = entry ? &entry->value : nullptr;
    dotted.remove_prefix(std::min(dot + 1, dotted.size()));
  }
  return node;
}

std::optional<std::string> Document::scalar(std::string_view dotted) const {
  const Node* node = find(dotted);
  return node && node->is_scalar() ? std::optional(node->text) : std::nullopt;
}

}  // namespace attune
