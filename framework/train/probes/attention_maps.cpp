#include "train/probes/attention_maps.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "base/text.h"

namespace attune {
namespace {

// What a run file may hold of them. They are in memory until the run ends.
constexpr double kMostBytes = 256.0 * 1024 * 1024;

std::optional<Index> number_of(const std::string& word) {
  Index n = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), n);
  if (problem != std::errc() || end != word.data() + word.size() || n < 0) return std::nullopt;
  return n;
}

class AttentionMaps : public Probe {
 public:
  AttentionMaps(const AttentionMapsOptions& options, const ProbeSubject& subject)
      : options_(options),
        look_(subject, options.examples.split, options.chosen_examples(subject.data)),
        layers_(options.chosen_layers(subject.model)),
        size_(options.longest(subject.model, subject.data)) {}

  ProbeTable table() const override {
    const ProbeSubject& run = look_.subject();
    ProbeTable table = options_.info().table();
    ProbeTable::Label length{"length", "example", "rows of the example", {}};
    for (const Index i : look_.examples()) {
      const Example example = run.data.example(options_.examples.split, i);
      table.dimensions[1].numbers.push_back(example.id);
      length.values.push_back(example.n_tokens() + run.model.rows_in_front(run.data.spec()));
    }
    table.labels = {length};
    if (run.data.queries()) {
      ProbeTable::Label queries{"queries", "example", "queries of the example", {}};
      for (const Index i : look_.examples())
        queries.values.push_back(run.data.example(options_.examples.split, i).n_queries);
      table.labels.push_back(queries);
    }
    table.dimensions[2].numbers = layers_;
    table.dimensions[3].numbers = counted(n_heads());
    table.dimensions[4].numbers = counted(size_.queries);
    table.dimensions[5].numbers = counted(size_.keys);
    return table;
  }

  Row at_state(Index step) override {
    if (!due(step)) return {};
    const Index per_head = size_.queries * size_.keys, per_layer = n_heads() * per_head,
                per_example = static_cast<Index>(layers_.size()) * per_layer;
    std::vector<double> row(look_.examples().size() * static_cast<std::size_t>(per_example),
                            std::numeric_limits<double>::quiet_NaN());
    look_.each([&](std::size_t e, const Tape<float>& tape, const Capture<float>& seen) {
      double* layer = row.data() + static_cast<Index>(e) * per_example;
      for (const Index number : layers_) {
        seen.attention[static_cast<std::size_t>(number)].read(
            tape, [&](const kernels::WeightRow<float>& query) {
              std::copy(query.weights.begin(), query.weights.end(),
                        layer + query.head * per_head + query.query * size_.keys);
            });
        layer += per_layer;
      }
    });
    return row;
  }

 private:
  Index n_heads() const { return look_.subject().model.encoder()->n_heads; }
  bool due(Index step) const {
    const auto is_now = [&](const std::string& word) {
      return word == "first"  ? step == 0
             : word == "last" ? step == *look_.subject().steps
                              : number_of(word) == step;
    };
    return std::any_of(options_.steps.begin(), options_.steps.end(), is_now);
  }

  AttentionMapsOptions options_;
  Look look_;
  std::vector<Index> layers_;
  AttentionMapsOptions::Size size_;
};

}  // namespace

const ProbeInfo& AttentionMapsOptions::info() const {
  static const ProbeInfo info{
      "attention_maps",
      "the attention weights of a few examples, as they are",
      {"step", "example", "layer", "head", "query", "key"},
      {{"weights", "1", "attention weight that a query gives to a key; NaN beyond the example"}},
      "without dropout, with the parameters after `step` updates"};
  return info;
}

void AttentionMapsOptions::Examples::fields(FieldList& f) {
  f.choice("split", split, {{"train", Split::train}, {"val", Split::val}, {"test", Split::test}},
           Role::result, "which split the examples are from");
  f.integer("count", count, {1, 1e4}, Role::result, "how many; fewer where the split has fewer");
  f.choice("choose", choose, {{"first", Choose::first}, {"per_label", Choose::per_label}},
           Role::result, "the first ones, or the first ones of the labels in turn");
}

void AttentionMapsOptions::fields(FieldList& f) {
  f.texts("steps", steps, Role::result, "when: first, last, or step numbers");
  f.custom(
      "layers", "all, or a list of layers such as [0, 3]",
      [this](const Literal& text) -> std::string {
        if (!text.is_list && text.items.size() == 1 && text.items[0] == "all") {
          layers.reset();
          return {};
        }
        std::vector<Index> numbers;
        for (const std::string& item : text.items)
          if (const auto number = number_of(item)) numbers.push_back(*number);
        if (numbers.empty() || numbers.size() != text.items.size())
          return "is neither all nor a list of layers, which count from 0";
        std::sort(numbers.begin(), numbers.end());
        numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
        layers = numbers;
        return {};
      },
      [this]() -> FieldValue {
        return layers ? FieldValue(*layers) : FieldValue(std::string("all"));
      },
      Role::result, "which layers");
  f.group("examples", examples, "whose weights");
  f.rule([this]() -> std::optional<Complaint> {
    const auto about = [](std::string message) {
      return Complaint{"steps", std::move(message), "allowed are first, last and step numbers", {}};
    };
    if (steps.empty()) return about("steps=[] would keep no map");
    for (const std::string& word : steps)
      if (word != "first" && word != "last" && !number_of(word))
        return about(fmt::format("steps={} has '{}'", to_text(FieldValue(steps)), word));
    return std::nullopt;
  });
}

std::optional<Complaint> AttentionMapsOptions::misfit(const std::string& kind,
                                                      const ModelOptions& model) const {
  if (auto none = ProbeOptions::misfit(kind, model)) return none;
  const Index n = model.n_attentions();
  if (!layers || layers->back() < n) return std::nullopt;
  const Index blocks = model.encoder()->n_layers;
  return Complaint{key("layers"),
                   fmt::format("{} has {}, and model.n_layers={}{}", key("layers"), layers->back(),
                               blocks, n == blocks ? "" : fmt::format(", {} attentions", n)),
                   fmt::format("layers count from 0 to {}", n - 1),
                   {"model.n_layers"}};
}

std::optional<Complaint> AttentionMapsOptions::misfit(const ModelOptions& model,
                                                      const Dataset& data) const {
  const std::string split(name_of(examples.split));
  if (data.n_examples(examples.split) == 0)
    return Complaint{
        key("examples.split"),
        fmt::format("{}={}: this data has no {} examples", key("examples.split"), split, split),
        "Name a split that it has",
        {}};
  if (examples.choose == Examples::Choose::per_label && !data.one_target())
    return Complaint{key("examples.choose"),
                     fmt::format("{}=per_label needs a label an example, and here rows have them",
                                 key("examples.choose")),
                     fmt::format("Set {}=first", key("examples.choose")),
                     {}};
  const Size size = longest(model, data);
  const std::size_t n_examples = chosen_examples(data).size(),
                    n_layers = chosen_layers(model).size();
  const double bytes = 8.0 * static_cast<double>(steps.size() * n_examples * n_layers) *
                       static_cast<double>(model.encoder()->n_heads) *
                       static_cast<double>(size.queries) * static_cast<double>(size.keys);
  if (bytes <= kMostBytes) return std::nullopt;
  return Complaint{
      key("examples.count"),
      fmt::format("{} would keep {:.0f} bytes: 8 for each of {} queries × {} keys, times {} heads, "
                  "{} layers, {} examples and {} steps; {:.0f} are the most",
                  key(), bytes, size.queries, size.keys, model.encoder()->n_heads, n_layers,
                  n_examples, steps.size(), kMostBytes),
      fmt::format("Ask for fewer {}, {} or {}", key("examples.count"), key("layers"), key("steps")),
      {}};
}

std::vector<Index> AttentionMapsOptions::chosen_examples(const Dataset& data) const {
  const Index n = data.n_examples(examples.split);
  if (examples.choose == Examples::Choose::first) return counted(std::min(examples.count, n));
  std::map<Index, std::vector<Index>> of_label;
  for (Index i = 0; i < n; ++i) of_label[data.example(examples.split, i).label].push_back(i);
  const auto wanted = static_cast<std::size_t>(std::min(examples.count, n));
  std::vector<Index> chosen;
  for (std::size_t turn = 0; chosen.size() < wanted; ++turn)
    for (const auto& [label, numbers] : of_label)
      if (turn < numbers.size() && chosen.size() < wanted) chosen.push_back(numbers[turn]);
  return chosen;
}

std::vector<Index> AttentionMapsOptions::chosen_layers(const ModelOptions& model) const {
  return layers ? *layers : counted(model.n_attentions());
}

AttentionMapsOptions::Size AttentionMapsOptions::longest(const ModelOptions& model,
                                                         const Dataset& data) const {
  Index rows = 0;
  for (const Index i : chosen_examples(data)) {
    const Example example = data.example(examples.split, i);
    rows = std::max({rows, example.n_tokens(), example.n_queries});
  }
  rows += model.rows_in_front(data.spec());
  const AttentionSpec& attention = model.encoder()->attention;
  return {rows, attention.kind == "linformer" ? *attention.k : rows};
}

std::unique_ptr<Probe> AttentionMapsOptions::make(const ProbeSubject& subject) const {
  return std::make_unique<AttentionMaps>(*this, subject);
}

}  // namespace attune
