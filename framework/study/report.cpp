#include "study/report.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "stats/replicates.h"

namespace attune {
namespace {

// Finals that the rows have, in the order of the files, those that are shown first.
std::vector<std::string> all_finals(const Study& study, const Results& results,
                                    const std::vector<std::string>& shown) {
  std::vector<std::string> paths = shown;
  std::set<std::string> known(shown.begin(), shown.end());
  for (const Row& row : study.rows)
    for (const RowRuns::Replicate& replicate : results.of(row).replicates())
      for (const RowRuns::Run& run : replicate.runs)
        for (const FinalMetric& m : run.head.final)
          if (known.insert(m.split + "/" + m.name).second) paths.push_back(m.split + "/" + m.name);
  return paths;
}

std::string goal_of(const RowRuns& runs, const std::string& metric) {
  for (const RowRuns::Replicate& replicate : runs.replicates())
    for (const RowRuns::Run& run : replicate.runs)
      for (const FinalMetric& m : run.head.final)
        if (m.split + "/" + m.name == metric) return m.goal;
  return {};
}

// Fills p_holm and the words.
void correct(std::vector<Comparison>& comparisons, const std::vector<std::string>& goals,
             double alpha) {
  std::vector<double> p;
  std::vector<std::size_t> has;
  for (std::size_t i = 0; i < comparisons.size(); ++i)
    if (comparisons[i].difference.p) {
      p.push_back(*comparisons[i].difference.p);
      has.push_back(i);
    }
  const std::vector<double> corrected = holm(p);
  for (Comparison& c : comparisons)
    c.word = c.difference.verdict == Verdict::incomplete ? "incomplete" : "undecided";
  for (std::size_t k = 0; k < has.size(); ++k) {
    Comparison& c = comparisons[has[k]];
    c.p_holm = corrected[k];
    // What the shape of the replicates forbids to judge stays undecided.
    if (corrected[k] >= alpha || c.difference.verdict == Verdict::undecided) continue;
    const bool higher = c.difference.estimate.value_or(0) > 0;
    const std::string& goal = goals[has[k]];
    c.word = goal.empty()                     ? (higher ? "higher" : "lower")
             : (goal == "maximize") == higher ? "better"
                                              : "worse";
  }
}

// The claim that a table's difference makes: none but that it is a number.
Claim difference_claim(const std::string& metric, const Row& of, const Row& against) {
  Claim claim;
  claim.id = of.name;
  claim.estimand.kind = Estimand::Kind::difference;
  std::string why;
  const auto scalar = parse_scalar(metric, why);
  ATTUNE_CHECK(scalar, ConfigError, "metrics: '{}' {}", metric, why);
  claim.estimand.scalar = *scalar;
  claim.estimand.paired = true;
  claim.estimand.cells.push_back({0, {{&of}}, {{&against}}});
  return claim;
}

Comparison compared(const std::string& metric, const Row& row, const Row& against,
                    const RunsOf& runs_of, double alpha) {
  const Claim claim = difference_claim(metric, row, against);
  Comparison c{row.name, against.name, metric, {}, std::nullopt, ""};
  c.difference = judge(claim, {alpha, 1, runs_of, runs_of, true});
  return c;
}

}  // namespace

bool StudyReport::JudgedClaim::as_known() const {
  return name_of(judgement.verdict) == claim.known;
}

StudyReport report_of(const Study& study, const std::vector<Claim>& claims,
                      const std::vector<Trial>& trials, const StudyFolder& folder) {
  const Results results(study, trials, folder);
  StudyReport report;
  report.study = study.name();
  report.folder = folder.path();
  report.doc = study.reference().options->doc;
  report.n_trials = results.n_trials();
  report.n_finished = results.n_finished();
  report.n_diverged = results.n_diverged();
  report.n_builds = static_cast<Index>(results.builds().size());
  report.shown = study.reference().kind_options().shown_metrics();
  const std::vector<std::string> all = all_finals(study, results, report.shown);
  for (const Row& row : study.rows) {
    const RowRuns& runs = results.of(row);
    if (!runs.replicates().empty()) report.rows.push_back(outcome_of_row(runs, all));
  }
  const RunsOf runs_of = [&results](const Row& row) -> const RowRuns& { return results.of(row); };
  if (study.varied.empty() && study.rows.size() > 1) {
    std::vector<std::string> goals;
    for (const std::string& metric : report.shown)
      for (std::size_t r = 1; r < study.rows.size(); ++r) {
        report.comparisons.push_back(
            compared(metric, study.rows[r], study.reference(), runs_of, report.alpha));
        goals.push_back(goal_of(results.of(study.reference()), metric));
      }
    correct(report.comparisons, goals, report.alpha);
  }
  const Families families = families_of(claims, folder, report.n_finished, report.n_trials);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const Index m = std::max<Index>(families.size(i), 1);
    report.claims.push_back({claims[i], judge(claims[i], {report.alpha, m, runs_of, runs_of, true}),
                             families.of[i], m});
  }
  return report;
}

std::vector<Comparison> compare_studies(const Study& study, const Results& results,
                                        const Study& other, const Results& other_results,
                                        const std::vector<std::string>& metrics, double alpha) {
  std::vector<std::pair<const Row*, const Row*>> pairs;
  for (const Row& row : study.rows)
    if (const Row* same = other.find(row.name)) pairs.emplace_back(&row, same);
  if (pairs.empty() && study.rows.size() == 1 && other.rows.size() == 1)
    pairs.emplace_back(&study.rows.front(), &other.rows.front());
  std::vector<Comparison> comparisons;
  std::vector<std::string> goals;
  for (const std::string& metric : metrics)
    for (const auto& [row, same] : pairs) {
      std::vector<Index> seeds;  // of both
      for (const RowRuns::Replicate& a : results.of(*row).replicates())
        for (const RowRuns::Replicate& b : other_results.of(*same).replicates())
          if (a.seed == b.seed) seeds.push_back(a.seed);
      const RowRuns mine = results.of(*row).of_seeds(seeds),
                    theirs = other_results.of(*same).of_seeds(seeds);
      const RunsOf runs_of = [&, own = row](const Row& which) -> const RowRuns& {
        return &which == own ? mine : theirs;
      };
      comparisons.push_back(compared(metric, *row, *same, runs_of, alpha));
      goals.push_back(goal_of(results.of(*row), metric));
    }
  correct(comparisons, goals, alpha);
  return comparisons;
}

}  // namespace attune
