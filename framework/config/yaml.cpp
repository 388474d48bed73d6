#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "config/values.h"

namespace attune {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kMostValues = 50'000;
constexpr std::size_t kMostDepth = 32;

constexpr std::string_view kCoreTags = "tag:yaml.org,2002:";

struct Stop {};  // thrown through yaml-cpp once an error says that going on is of no use

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

const std::string kDollarInFlow =
    "${…} inside [ ] or { } must be quoted, as in {d_ff: '${model.d_model}'}: its braces belong to "
    "YAML there";

// Builds a Node from yaml-cpp's events. Its node classes are not used: they lose duplicate keys and
// places.
class Builder : public YAML::EventHandler {
 public:
  // Nodes get their place in `loaded`, or without it all the place `at`.
  Builder(const std::string& text, const LoadedText* loaded, Origin at, Diagnostics& diagnostics)
      : text_(text), loaded_(loaded), at_(std::move(at)), diagnostics_(diagnostics) {}

  bool usable() const { return usable_; }
  bool built() const { return built_; }
  Node take() { return std::move(root_); }

  Origin origin(const YAML::Mark& mark) {
    if (!loaded_) return at_;
    // Counting goes on where it last stopped in the line, or a long line would cost its length
    // squared.
    const std::string_view line = line_of(mark);
    const auto byte = std::min(static_cast<std::size_t>(std::max(mark.column, 0)), line.size());
    if (at_.line != mark.line + 1 || byte < counted_) {
      at_ = {loaded_->source, mark.line + 1, 1};
      counted_ = 0;
    }
    for (; counted_ < byte; counted_ += code_point_bytes(line, counted_)) ++at_.column;
    return at_;
  }

  // What the source has at and after a mark, to the end of the line.
  std::string_view rest(const YAML::Mark& mark) const {
    const std::string_view line = line_of(mark);
    return line.substr(std::min(static_cast<std::size_t>(std::max(mark.column, 0)), line.size()));
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!built_) return;
    refuse(mark,
           "a second YAML document starts here; a config is one document, in a file of its own");
    throw Stop{};
  }
  void OnDocumentEnd() override { built_ = true; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    const std::string_view written = rest(mark);
    const bool is_word =
        !loaded_ || written.starts_with('~') || lower(std::string(written.substr(0, 4))) == "null";
    add({.kind = Node::Kind::null,
         .text = is_word ? "null" : "",
         .entries = {},
         .at = origin(mark)},
        mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    tell(mark, "aliases (*name) are not read; refer to a value by its key, as in ${model.d_model}");
    add({.entries = {}, .at = origin(mark), .refused = true}, mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    const bool tagged = refuse_tag(mark, tag);
    const bool quoted = tag == "!";
    if (!quoted && value.ends_with('$') &&
        rest(mark).substr(std::min(value.size(), rest(mark).size())).starts_with('{')) {
      refuse(mark, kDollarInFlow);
      throw Stop{};
    }
    if (quoted && !is_closed(mark)) {
      refuse(mark, "this quote is not closed");
      throw Stop{};
    }
    add({.kind = Node::Kind::scalar,
         .text = value,
         .quoted = quoted,
         .entries = {},
         .at = origin(mark),
         .refused = tagged},
        mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

  // What is wrong with one value or key: the others can still be looked at.
  void tell(const YAML::Mark& mark, const std::string& message) {
    diagnostics_.error({.at = origin(mark), .message = message});
  }
  // After this it is unknown what the rest means.
  void refuse(const YAML::Mark& mark, const std::string& message) {
    tell(mark, message);
    usable_ = false;
  }

 private:
  struct Level {
    Node node;
    YAML::Mark mark;
    std::string key = {};
    Origin key_at = {};
    bool has_key = false;  // of a map: a key waits for its value
    bool drops = false;    // that key was refused
    std::unordered_set<std::string> keys = {};
  };

  std::string_view line_of(const YAML::Mark& mark) const {
    if (!loaded_ || mark.line < 0) return {};
    const auto line = static_cast<std::size_t>(mark.line);
    const auto& lines = loaded_->source->lines;
    return line < lines.size() ? std::string_view(lines[line]) : std::string_view();
  }

  // yaml-cpp takes the end of the file for a closing quote.
  bool is_closed(const YAML::Mark& mark) const {
    auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
    const char quote = at < text_.size() ? text_[at] : ' ';
    if (quote != '"' && quote != '\'') return true;
    for (++at; at < text_.size(); ++at) {
      if (text_[at] == quote && (quote == '"' || text_.compare(at, 2, "''") != 0)) return true;
      if (text_[at] == (quote == '"' ? '\\' : '\'')) ++at;
    }
    return false;
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    tell(mark, "anchors (&name) are not read; refer to a value by its key, as in ${model.d_model}");
  }
  bool refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return false;
    tell(mark, fmt::format("the tag '{}' is not read; a key's type is known (attune explain KEY)",
                           tag.starts_with(kCoreTags) ? "!!" + tag.substr(kCoreTags.size()) : tag));
    return true;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    refuse_anchor(mark, anchor);
    const bool tagged = refuse_tag(mark, tag);
    if (levels_.size() == kMostDepth) {
      refuse(mark, fmt::format("nested deeper than {} levels; no config needs that", kMostDepth));
      throw Stop{};
    }
    levels_.push_back({.node = {.kind = kind, .entries = {}, .at = origin(mark), .refused = tagged},
                       .mark = mark});
  }
  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    add(std::move(level.node), level.mark);
  }

  void add(Node node, const YAML::Mark& mark) {
    if (++values_ > kMostValues) {
      refuse(mark, fmt::format("more than {} values; no config needs that", kMostValues));
      throw Stop{};
    }
    if (levels_.empty()) {
      root_ = std::move(node);
    } else if (Level& level = levels_.back(); level.node.kind == Node::Kind::list) {
      level.node.refused = level.node.refused || node.refused;
      level.node.items.push_back(std::move(node));
    } else if (!level.has_key) {
      take_key(level, node, mark);
    } else {
      level.has_key = false;
      if (level.drops) {
        level.drops = false;
      } else if (!level.keys.insert(level.key).second) {
        diagnostics_.error(
            {.at = level.key_at,
             .message =
                 fmt::format("duplicate key '{}'; other readers silently take either", level.key),
             .label = "again here",
             .notes = {{level.node.find(level.key)->at, "first set here"}}});
      } else {
        level.node.entries.push_back({level.key, level.key_at, std::move(node)});
      }
    }
  }

  void take_key(Level& level, const Node& node, const YAML::Mark& mark) {
    level.has_key = true;
    level.key = node.text;
    level.key_at = node.at;
    if (!node.is_scalar() || node.text.empty()) {
      refuse(mark, "a key must be a word");
    } else if (node.text == "<<") {
      refuse(mark,
             "merge keys (<<) are not read; put shared keys into a group file and name it under "
             "defaults:");
    } else if (!node.quoted && is_yaml11_boolean(node.text)) {
      level.drops = true;
      tell(mark,
           fmt::format(
               "YAML readers turn the key {0} into a boolean; use another word, or quote it: '{0}'",
               node.text));
    }
  }

  const std::string& text_;
  const LoadedText* loaded_;
  Origin at_;
  std::size_t counted_ = 0;  // bytes of the line before at_.column
  Diagnostics& diagnostics_;
  std::vector<Level> levels_;
  Node root_;
  std::size_t values_ = 0;
  bool usable_ = true, built_ = false;
};

// What usually is behind a message of yaml-cpp.
std::string remedy(const std::string& message) {
  const auto has = [&](const char* part) { return message.find(part) != std::string::npos; };
  if (has("end of map flow") || has("end of sequence flow"))
    return "a comma is missing, or a bracket is not closed";
  if (has("illegal map value"))
    return "a text that holds ': ' must be quoted, and keys of one map start in one column";
  if (has("end of map not found") || has("end of sequence not found"))
    return "check the indentation of this line and the one above";
  if (has("illegal EOF in scalar")) return "a quote is not closed";
  if (has("unknown escape"))
    return "in double quotes a backslash is written twice; single quotes take it as it is";
  if (has("unknown token")) return "a text that starts with this character must be quoted";
  return {};
}

void report(const YAML::Exception& e, Builder& builder, const std::string& prefix) {
  const std::string_view rest = builder.rest(e.mark);
  const auto before_mark = [&](int n) { return e.mark.column >= n ? rest.data()[-n] : ' '; };
  const bool dollar = rest.starts_with('{') && before_mark(1) == '$' && before_mark(2) != '\\';
  if (dollar) {
    YAML::Mark before = e.mark;
    --before.column;
    builder.refuse(before, prefix + kDollarInFlow);
    return;
  }
  if (rest.starts_with("???")) {
    builder.refuse(e.mark,
                   prefix + "??? inside [ ] or { } must be quoted, as in {d_model: '??\?'}");
    return;
  }
  const std::string help = remedy(e.msg);
  builder.refuse(e.mark, fmt::format("{}this is no YAML ({}){}{}", prefix, e.msg,
                                     help.empty() ? "" : ": ", help));
}

bool run(const std::string& text, Builder& builder, const std::string& prefix) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop&) {
  } catch (const YAML::Exception& e) {
    report(e, builder, prefix);
  } catch (const std::exception& e) {
    builder.refuse(YAML::Mark(), prefix + "this is no YAML: " + e.what());
  }
  return builder.usable();
}

// What can be said before YAML: bytes and blanks.
bool readable(const LoadedText& loaded, Diagnostics& diagnostics) {
  const auto refuse = [&](std::size_t line, std::string_view before, std::string message) {
    Origin at{loaded.source, static_cast<int>(line) + 1, 1};
    for (std::size_t i = 0; i < before.size(); i += code_point_bytes(before, i)) ++at.column;
    diagnostics.error({.at = at, .message = std::move(message)});
  };
  const std::size_t errors_before = diagnostics.count();
  if (loaded.text.size() > kMostBytes) {
    diagnostics.error(
        {.at = Origin::of(loaded.source), .message = "larger than 1 MB; is this a config?"});
    return false;
  }
  const auto& lines = loaded.source->lines;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (const auto bad = invalid_utf8(line); bad != std::string_view::npos) {
      refuse(i, line.substr(0, bad),
             fmt::format("byte 0x{:02X} is no UTF-8; save the file as UTF-8",
                         static_cast<unsigned char>(line[bad])));
      return false;
    }
    if (const auto tab = line.find_first_not_of(' ');
        tab != std::string_view::npos && line[tab] == '\t') {
      refuse(i, line.substr(0, tab), "a tab in the indentation, which YAML forbids; use spaces");
    }
    const auto control = std::find_if(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    if (control != line.end()) {
      const auto at = static_cast<std::size_t>(control - line.begin());
      refuse(i, line.substr(0, at),
             fmt::format("the control character 0x{:02X}; is this a text file?",
                         static_cast<unsigned char>(*control)));
      return false;
    }
  }
  return diagnostics.count() == errors_before;
}

}  // namespace

LoadedText make_source(std::string name, std::string folder, int order, std::string text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  std::string::size_type kept = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    text[kept++] = text[i];
  }
  text.resize(kept);
  auto source = std::make_shared<Source>();
  source->name = std::move(name);
  source->folder = std::move(folder);
  source->order = order;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    source->lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return {std::move(source), std::move(text)};
}

std::optional<Node> parse_document(const LoadedText& loaded, Diagnostics& diagnostics) {
  if (!readable(loaded, diagnostics)) return std::nullopt;
  Builder builder(loaded.text, &loaded, {}, diagnostics);
  if (!run(loaded.text, builder, "")) return std::nullopt;
  Node root = builder.take();
  if (root.kind == Node::Kind::null) {
    diagnostics.error(
        {.at = Origin::of(loaded.source),
         .message = "the file is empty; a config is a map of keys, such as 'kind: train'"});
    return std::nullopt;
  }
  if (!root.is_map()) {
    diagnostics.error({.at = root.at,
                       .message = fmt::format(
                           "the file holds a {}; a config is a map of keys, such as 'kind: train'",
                           root.is_scalar() ? "single value" : "list")});
    return std::nullopt;
  }
  return root;
}

std::optional<Node> parse_value(const std::string& value, const std::string& token,
                                const Origin& at, Diagnostics& diagnostics) {
  const std::string text(trim(value));
  if (text == "null" || text == "~")
    return Node{.kind = Node::Kind::null, .text = "null", .entries = {}, .at = at};
  static constexpr std::string_view kYamlStarts = "[{'\"";
  if (kYamlStarts.find(text[0]) == std::string_view::npos) {
    return Node{.kind = Node::Kind::scalar, .text = text, .entries = {}, .at = at};
  }
  if (text.size() > kMostBytes || invalid_utf8(text) != std::string::npos) {
    diagnostics.error(
        {.at = at,
         .message = token.substr(0, token.find('=')) + ": the value is no UTF-8, or over 1 MB"});
    return std::nullopt;
  }
  const std::string prefix = token + ": ";
  Builder builder(text, nullptr, at, diagnostics);
  if (text.find("${") != std::string::npos && text.find_first_of("'\"") == std::string::npos) {
    diagnostics.error({.at = at, .message = prefix + kDollarInFlow});
    return std::nullopt;
  }
  if (!run(text, builder, prefix)) return std::nullopt;
  return builder.take();
}

}  // namespace attune
