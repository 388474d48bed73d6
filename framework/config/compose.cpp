#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "config/document.h"
#include "config/overrides.h"
#include "config/yaml.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr std::streamsize kReadBytes = (1 << 20) + 1;  // one more than a config may have

std::string joined(const std::string& prefix, const std::string& key) {
  return prefix.empty() ? key : prefix + "." + key;
}

// Lays `from` over `into`, both maps. A nested map whose `kind` changes starts anew.
void merge(Node& into, const Node& from, const std::string& prefix, Diagnostics& diagnostics) {
  if (into.entries.empty()) {
    into.entries = from.entries;
    return;
  }
  for (const Node::Entry& entry : from.entries) {
    Node::Entry* old = into.find(entry.key);
    if (!old) {
      into.entries.push_back(entry);
      continue;
    }
    if (!old->value.is_map() || !entry.value.is_map()) {
      old->was.push_back({old->value.shown(), old->at});
      old->at = entry.at;
      old->value = entry.value;
      continue;
    }
    const std::string key = joined(prefix, entry.key);
    Node::Entry* old_kind = old->value.find("kind");
    const Node::Entry* new_kind = entry.value.find("kind");
    if (old_kind && new_kind && old_kind->value.is_scalar() && new_kind->value.is_scalar() &&
        old_kind->value.text != new_kind->value.text) {
      std::vector<std::string> dropped;
      for (const Node::Entry& e : old->value.entries)
        if (e.key != "kind") dropped.push_back(e.key);
      if (!dropped.empty()) {
        diagnostics.note(
            {.at = new_kind->at,
             .message = fmt::format("{}.kind={} replaces {}: dropped {}", key, new_kind->value.text,
                                    old_kind->value.text, join(dropped)),
             .caret = new_kind->value.at,
             .notes = {
                 {old_kind->at, fmt::format("{}.kind was {} here", key, old_kind->value.text)}}});
      }
      Node::Entry kind = *old_kind;
      old->value.entries.clear();
      old->value.entries.push_back(std::move(kind));
    }
    merge(old->value, entry.value, key, diagnostics);
  }
}

// {a: {b: value}} for "a.b" (or "a/b"): how a value at a dotted key is merged.
Node nested(std::string_view key, Node value, const Origin& at) {
  const auto last = key.find_last_of("./");
  Node map{.kind = Node::Kind::map, .entries = {}, .at = at};
  map.entries.push_back({std::string(last == std::string_view::npos ? key : key.substr(last + 1)),
                         at, std::move(value)});
  return last == std::string_view::npos ? map : nested(key.substr(0, last), std::move(map), at);
}

bool is_group_name(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("_-./").find(c) != std::string_view::npos;
  });
  return plain && name.front() != '/' && name.back() != '/' && name.find("..") == std::string::npos;
}

// One line of `defaults:`; the file itself has an empty group.
struct Choice {
  std::string group, name;
  Origin at;

  bool is_self() const { return group.empty(); }
};

class Composer {
 public:
  Composer(const LoadOptions& options, Diagnostics& diagnostics)
      : options_(options), diagnostics_(diagnostics) {
    std::error_code ignored;
    cwd_ = (options.cwd.empty() ? fs::current_path(ignored) : fs::path(options.cwd))
               .lexically_normal();
    main_ = (cwd_ / options.path).lexically_normal();
    search_in(main_.parent_path());
  }

  Document compose() {
    const auto arguments = command_line(options_.overrides, cwd_.string());
    std::vector<Override> overrides = parse_overrides(arguments, diagnostics_);
    Document document;
    auto body = options_.body;
    std::shared_ptr<Source> source;
    if (body) {
      source = std::make_shared<Source>(*body->at.source);
    } else {
      const auto text = options_.text ? options_.text : read(main_, options_.path);
      if (!text) return document;
      const LoadedText loaded = make_source(options_.path, main_.parent_path().string(), 0, *text);
      body = parse_document(loaded, diagnostics_);
      if (!body) return document;
      source = loaded.source;
    }

    const std::vector<Choice> choices = layers(take_defaults(*body, source), overrides);
    document.root = {.kind = Node::Kind::map, .entries = {}, .at = {source, 1, 1}};
    for (const Choice& choice : choices) {
      const int layer = next_layer_++;
      if (choice.is_self()) {
        source->layer = layer;
        merge(document.root, *body, "", diagnostics_);
      } else if (auto group = load_group(choice, layer)) {
        merge(document.root, nested(choice.group, std::move(*group), choice.at), "", diagnostics_);
      } else {
        lost_layer_ = true;
      }
    }
    // A kind drops keys of the layers before it, not of its own.
    std::stable_partition(overrides.begin(), overrides.end(),
                          [](const Override& o) { return o.key.ends_with(".kind"); });
    for (Override& o : overrides) {
      const Origin at = o.value.at;
      merge(document.root, nested(o.key, std::move(o.value), at), "", diagnostics_);
    }
    document.usable = true;
    document.complete = !lost_layer_;
    return document;
  }

 private:
  // As a person at `cwd` would name it.
  std::string shown(const fs::path& path) const {
    const fs::path relative = path.lexically_relative(cwd_);
    return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
  }

  void search_in(fs::path folder) {
    for (;; folder = folder.parent_path()) {
      folders_.push_back(folder);
      if (folder.filename() == "configs" || folder == folder.parent_path()) break;
    }
    if (!options_.library.empty()) folders_.push_back((cwd_ / options_.library).lexically_normal());
  }

  // The names that a group has in one folder.
  static std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
      if (it->path().extension() == ".yaml") names.push_back(it->path().stem().string());
    }
    return names;
  }

  std::vector<std::string> names_of(const std::string& group) const {
    std::set<std::string> names;
    for (const fs::path& folder : folders_)
      for (std::string& name : names_in(folder / group)) names.insert(std::move(name));
    return {names.begin(), names.end()};
  }

  std::optional<std::string> read(const fs::path& path, const std::string& name) {
    auto source = std::make_shared<Source>();
    source->name = name;
    const Origin at = Origin::of(source);
    std::error_code failed;
    if (!fs::exists(path, failed)) {
      Diagnostic error{.at = at, .message = "no such file"};
      if (const auto near = did_you_mean(path.stem().string(), names_in(path.parent_path())))
        error.hints = {
            fmt::format("did you mean {}?", shown(path.parent_path() / (*near + ".yaml")))};
      diagnostics_.error(std::move(error));
      return std::nullopt;
    }
    if (fs::is_directory(path, failed)) {
      diagnostics_.error({.at = at, .message = "is a folder; name the YAML file in it"});
      return std::nullopt;
    }
    std::ifstream file(path, std::ios::binary);
    std::string text(static_cast<std::size_t>(kReadBytes), '\0');
    if (file) file.read(text.data(), kReadBytes);
    if (!file && !file.eof()) {
      diagnostics_.error(
          {.at = at, .message = fmt::format("cannot be read: {}", std::strerror(errno))});
      return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
  }

  // Removes `defaults` from the body and returns its lines, `_self_` among them.
  std::vector<Choice> take_defaults(Node& body, const std::shared_ptr<Source>& source) {
    std::vector<Choice> choices;
    const auto refuse = [&](const Origin& at, std::string message) {
      lost_layer_ = true;
      diagnostics_.error({.at = at, .message = std::move(message)});
    };
    bool has_self = false;
    if (const Node::Entry* found = body.find("defaults")) {
      const Node list = found->value;
      if (list.kind != Node::Kind::list)
        refuse(list.text.empty() && !list.is_map() ? found->at : list.at,
               "defaults is a list, as in [model: vit_small, _self_]");
      for (const Node& item : list.items) {
        if (item.is_scalar() && item.text == "_self_") {
          if (has_self) refuse(item.at, "_self_ stands twice in defaults");
          if (!has_self) choices.push_back({"", "", item.at});
          has_self = true;
          continue;
        }
        const Node::Entry* entry =
            item.is_map() && item.entries.size() == 1 ? &item.entries.front() : nullptr;
        if (!entry || !entry->value.is_scalar()) {
          refuse(item.at,
                 fmt::format("'{}' in defaults is neither GROUP: NAME nor _self_", item.shown()));
        } else if (!is_group_name(entry->key) || !is_group_name(entry->value.text)) {
          refuse(entry->at,
                 fmt::format("'{}: {}' names no group file; names are letters, digits, _ - and /",
                             entry->key, entry->value.text));
        } else if (find_choice(choices, entry->key)) {
          refuse(entry->at, fmt::format("the group '{}' stands twice in defaults", entry->key));
        } else {
          choices.push_back({entry->key, entry->value.text, entry->value.at});
        }
      }
      body.entries.erase(body.entries.begin() + (found - body.entries.data()));
    }
    if (!has_self) choices.push_back({"", "", {source, 1, 1}});
    return choices;
  }

  static Choice* find_choice(std::vector<Choice>& choices, const std::string& group) {
    for (Choice& c : choices)
      if (c.group == group && !c.is_self()) return &c;
    return nullptr;
  }

  // The choices of the file with those of the command line, which are taken out of the overrides.
  std::vector<Choice> layers(std::vector<Choice> choices, std::vector<Override>& overrides) {
    std::vector<Override> others;
    for (Override& o : overrides) {
      std::string group = o.key;
      std::replace(group.begin(), group.end(), '.', '/');
      Choice* listed = find_choice(choices, group);
      const bool picks = o.is_word() && (listed || !names_of(group).empty() ||
                                         o.key.find('/') != std::string::npos);
      if (!picks) {
        others.push_back(std::move(o));
      } else if (!is_group_name(o.value.text)) {
        lost_layer_ = true;
        diagnostics_.error(
            {.at = o.value.at,
             .message = fmt::format("{}={} names no group file", o.key, o.value.text)});
      } else if (listed) {
        listed->name = o.value.text;
        listed->at = o.value.at;
      } else {
        choices.push_back({group, o.value.text, o.value.at});
      }
    }
    overrides = std::move(others);
    return choices;
  }

  std::optional<Node> load_group(const Choice& choice, int layer) {
    std::vector<std::string> looked;
    for (const fs::path& folder : folders_) {
      const fs::path path = (folder / choice.group / (choice.name + ".yaml")).lexically_normal();
      std::error_code failed;
      if (!fs::is_regular_file(path, failed)) {
        looked.push_back(shown(path.parent_path()));
        continue;
      }
      const auto text = read(path, shown(path));
      if (!text) return std::nullopt;
      const LoadedText loaded =
          make_source(shown(path), path.parent_path().string(), layer + 1, *text);
      loaded.source->layer = layer;
      auto group = parse_document(loaded, diagnostics_);
      if (const Node::Entry* nested_defaults = group ? group->find("defaults") : nullptr) {
        diagnostics_.error(
            {.at = nested_defaults->at,
             .message =
                 "a group file has no defaults of its own; name both groups in the study's file"});
        return std::nullopt;
      }
      return group;
    }
    Diagnostic error{.at = choice.at,
                     .message = fmt::format("there is no {}/{}.yaml", choice.group, choice.name)};
    const std::vector<std::string> names = names_of(choice.group);
    if (const auto near = did_you_mean(choice.name, names))
      error.message += fmt::format("; did you mean '{}'?", *near);
    if (!names.empty()) error.hints.push_back(fmt::format("there are: {}", join(names)));
    error.hints.push_back(fmt::format("looked in {}", join(looked)));
    diagnostics_.error(std::move(error));
    return std::nullopt;
  }

  const LoadOptions& options_;
  Diagnostics& diagnostics_;
  fs::path cwd_, main_;
  std::vector<fs::path> folders_;  // where groups are looked for, nearest first
  int next_layer_ = 0;
  bool lost_layer_ = false;  // a line of defaults or a group file could not be used
};

}  // namespace

Document compose(const LoadOptions& options, Diagnostics& diagnostics) {
  return Composer(options, diagnostics).compose();
}

void set_value(Document& document, std::string_view dotted, Node value, const Origin& at,
               Diagnostics& diagnostics) {
  merge(document.root, nested(dotted, std::move(value), at), "", diagnostics);
}

std::string flow_text(const Node& value) {
  std::vector<std::string> parts;
  switch (value.kind) {
    case Node::Kind::null:
      return "null";
    case Node::Kind::scalar: {
      const bool plain = std::all_of(value.text.begin(), value.text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_-./+", c);
      });
      // A text of JSON is one of YAML.
      return plain && !value.quoted ? value.text : Json(value.text).dump();
    }
    case Node::Kind::list:
      for (const Node& item : value.items) parts.push_back(flow_text(item));
      return "[" + join(parts) + "]";
    case Node::Kind::map:
      break;
  }
  for (const Node::Entry& entry : value.entries)
    parts.push_back(to_text(FieldValue(entry.key)) + ": " + flow_text(entry.value));
  return "{" + join(parts) + "}";
}

Document compose_overrides(const std::vector<std::string>& overrides, Diagnostics& diagnostics) {
  const auto source = command_line(overrides, "");
  Document document;
  document.root = {.kind = Node::Kind::map, .entries = {}, .at = Origin::of(source)};
  for (Override& o : parse_overrides(source, diagnostics)) {
    const Origin at = o.value.at;
    merge(document.root, nested(o.key, std::move(o.value), at), "", diagnostics);
  }
  document.usable = true;
  return document;
}

}  // namespace attune
