#include "study/sweep.h"

#include <algorithm>
#include <boost/random/sobol.hpp>
#include <memory>
#include <set>

#include "base/hash.h"
#include "base/philox.h"
#include "base/text.h"
#include "study/points.h"
#include "study/study_file.h"

namespace attune {
namespace {

constexpr std::string_view kSchema = "attune/sweep@1";

struct SweepOptions {
  enum class Method { grid, random, sobol };
  Method method = Method::grid;
  std::optional<Index> run_cap;
  Index search_seed = 0;

  void fields(FieldList& f) {
    f.choice("method", method,
             {{"grid", Method::grid}, {"random", Method::random}, {"sobol", Method::sobol}},
             Role::study, "how points are chosen");
    f.require("method");
    f.integer("run_cap", run_cap, {1, 1e6}, Role::study,
              "configs in total, however often the command is run");
    f.integer("search_seed", search_seed, {0, 1e15}, Role::study,
              "what random and sobol draw from: the same seed, the same points");
    f.rule([this]() -> std::optional<Complaint> {
      if (run_cap || method == Method::grid) return std::nullopt;
      return Complaint{"method",
                       "random and sobol have no last point: run_cap must be set",
                       "run_cap: 32",
                       {"run_cap"}};
    });
  }
};

// Points of a sweep, one after the other: an index below size() gives the same point always.
class PointSource {
 public:
  PointSource(const SweepOptions& options, const SearchSpace& space)
      : options_(options), space_(space) {
    for (Index a = 0; a < space.n_axes(); ++a) {
      const auto seed = static_cast<std::uint64_t>(options.search_seed);
      streams_.emplace_back(seed, "search", space.axis_name(a));
    }
  }
  // None: it goes on for ever.
  std::optional<Index> size() const {
    return options_.method == SweepOptions::Method::grid ? space_.grid_size() : std::nullopt;
  }
  Point operator()(Index i) {
    if (options_.method == SweepOptions::Method::grid) return space_.grid_point(i);
    std::vector<double> u;
    if (options_.method == SweepOptions::Method::random) {
      for (const Stream& stream : streams_)
        u.push_back(stream.uniform(static_cast<std::uint64_t>(i)));
      return space_.at(u);
    }
    // A digital shift: which of Sobol's sequences of this stratification it is.
    if (!sobol_ || i < next_) {
      sobol_ = std::make_unique<boost::random::sobol>(static_cast<std::size_t>(space_.n_axes()));
      next_ = 0;
    }
    for (; next_ <= i; ++next_) {
      u.clear();
      for (const Stream& stream : streams_) {
        const std::uint64_t high = stream.below(UINT32_MAX, 0), low = stream.below(UINT32_MAX, 1);
        const std::uint64_t digits = (*sobol_)() ^ (high << 32 | low);
        u.push_back(static_cast<double>(digits >> 11) * 0x1p-53);
      }
    }
    return space_.at(u);
  }

 private:
  const SweepOptions& options_;
  const SearchSpace& space_;
  std::vector<Stream> streams_;
  std::unique_ptr<boost::random::sobol> sobol_;
  Index next_ = 0;
};

class Sweep {
 public:
  Sweep(const LoadOptions& load, std::span<const Kind> kinds)
      : kinds_(kinds),
        file_(load, kSchema, {"method", "run_cap", "search_seed", "parameters", "zip", "enqueue"},
              diagnostics_) {}

  Study study() {
    FieldList fields;
    options_.fields(fields);
    file_.bind_own(fields, diagnostics_);
    const SearchSpace space(file_.find("parameters"), file_.find("zip"),
                            options_.method == SweepOptions::Method::grid, diagnostics_);
    base_ = file_.base(diagnostics_);
    diagnostics_.raise();
    base_row_.emplace(row_of("base", base_, diagnostics_));
    diagnostics_.raise();  // what is wrong with the base is wrong everywhere
    check_keys(space);
    const std::vector<Point> enqueued = read_enqueue();
    diagnostics_.raise();

    keys_ = space.keys();
    Study study;
    study.said = file_.said();
    study.varied = keys_;
    for (const Point& point : enqueued) add_point(point, study);
    PointSource points(options_, space);
    const Index size = points.size().value_or(SearchSpace::kMostPoints);
    const Index patience = 1000 + 100 * options_.run_cap.value_or(size);
    for (Index i = 0; i < std::min(size, patience) && !is_full(study); ++i) {
      Point point = points(i);
      space.keep_active(point, [this](const std::string& key) { return base_value(key); });
      add_point(point, study);
    }
    if (study.rows.empty()) first_refusal_.raise();
    tell_left_out(study);
    study.text = file_.text(study.reference());
    return study;
  }

 private:
  bool is_full(const Study& study) const {
    return options_.run_cap && static_cast<Index>(study.rows.size()) >= *options_.run_cap;
  }

  Row row_of(const std::string& name, const Document& document, Diagnostics& diagnostics) const {
    return bind_row(name, document, kind_of(document, kinds_, diagnostics), diagnostics);
  }

  std::optional<std::string> base_value(const std::string& key) const {
    const BoundLeaf* bound = base_row_->binding.find(key);
    return bound ? std::optional(to_text(bound->leaf.value)) : std::nullopt;
  }

  void check_keys(const SearchSpace& space) {
    const KeyIndex known(*base_row_->fields);
    for (const std::string& key : space.keys()) {
      if (known.find(key).empty())
        diagnostics_.error({.at = space.origin(key), .message = known.unknown(key)});
      if (key == "seeds" || key == "name" || key == "kind")
        diagnostics_.error({.at = space.origin(key),
                            .message = fmt::format("{} is no parameter", key),
                            .hints = {"seeds: 0-9 beside parameters repeats every point"}});
      for (const std::string& given : file_.base_overrides())
        if (is_within(key, given.substr(0, given.find('='))) ||
            is_within(given.substr(0, given.find('=')), key))
          diagnostics_.error(
              {.at = space.origin(key),
               .message = fmt::format("{} is varied here, and {} on the command line would undo it",
                                      key, given),
               .hints = {
                   "give study.parameters another value in the file, or leave the override"}});
    }
    if (space.n_axes() == 0 && !file_.find("enqueue"))
      diagnostics_.error({.message = "a sweep must have parameters, zip or enqueue",
                          .hints = {"parameters: {optim.lr: {values: [0.001, 0.003]}}"}});
    if (options_.method == SweepOptions::Method::grid && !space.grid_size())
      diagnostics_.error(
          {.message = fmt::format("the grid has more than {} points", SearchSpace::kMostPoints),
           .hints = {"try fewer values, or method: sobol with a run_cap"}});
  }

  std::vector<Point> read_enqueue() {
    std::vector<Point> points;
    const Node::Entry* enqueue = file_.find("enqueue");
    if (!enqueue) return points;
    if (enqueue->value.kind != Node::Kind::list) {
      refuse(diagnostics_, *enqueue, "enqueue is a list of maps of keys to values",
             "enqueue: [{optim.lr: 0.001}]");
      return points;
    }
    const KeyIndex known(*base_row_->fields);
    for (const Node& item : enqueue->value.items) {
      Point& point = points.emplace_back();
      if (!item.is_map())
        diagnostics_.error({.at = item.at, .message = "an item of enqueue is a map of keys"});
      for (const Node::Entry& entry : item.entries) {
        if (known.find(entry.key).empty())
          diagnostics_.error({.at = entry.at, .message = known.unknown(entry.key)});
        point.push_back({entry.key, entry.value, entry.at});
      }
    }
    return points;
  }

  void add_point(const Point& point, Study& study) {
    if (is_full(study)) return;
    Document document = base_;
    std::vector<Change> changes;
    for (const Setting& setting : point)
      changes.push_back({setting.key, &setting.value, setting.at});
    Diagnostics of_point;
    lay_over(document, changes, of_point);
    Row row = row_of("", document, of_point);
    if (!of_point.ok()) {
      n_refused_ += 1;
      if (first_refusal_.ok())
        for (const Diagnostic& error : of_point.errors()) first_refusal_.error(error);
      return;
    }
    row.name = point_name(point, keys_, [&row](const std::string& key) {
      const BoundLeaf* bound = row.binding.find(key);
      if (!bound) return std::string("none");
      const auto* real = std::get_if<double>(&bound->leaf.value);
      return real ? fmt::format("{}", *real) : to_text(bound->leaf.value);
    });
    std::string config;
    for (const BoundLeaf& bound : row.binding.leaves)
      if (bound.leaf.role == Role::result)
        config += fmt::format("{}={}\n", bound.leaf.key, to_text(bound.leaf.value));
    if (!configs_.insert(sha256(config)).second) {
      n_repeated_ += 1;
      return;
    }
    study.rows.push_back(std::move(row));
  }

  void tell_left_out(Study& study) {
    study.notes = diagnostics_.notes();
    if (n_repeated_ > 0)
      study.notes.push_back(
          {.message = fmt::format("{} point{} would repeat the config of another, "
                                  "and {} left out",
                                  n_repeated_, n_repeated_ == 1 ? "" : "s",
                                  n_repeated_ == 1 ? "is" : "are")});
    if (n_refused_ == 0) return;
    study.notes.push_back(
        {.message = fmt::format(
             "{} point{} refused by the config check and left out; the first: {}", n_refused_,
             n_refused_ == 1 ? " is" : "s are", first_refusal_.errors().front().message)});
  }

  std::span<const Kind> kinds_;
  Diagnostics diagnostics_, first_refusal_;
  StudyFile file_;
  SweepOptions options_;
  Document base_;
  std::optional<Row> base_row_;
  std::vector<std::string> keys_;  // that are varied
  std::set<std::string> configs_;  // hashes of rows so far
  Index n_refused_ = 0, n_repeated_ = 0;
};

}  // namespace

Study load_sweep(const LoadOptions& load, std::span<const Kind> kinds) {
  return Sweep(load, kinds).study();
}

}  // namespace attune
