#include <algorithm>

#include "base/text.h"
#include "cli/find_study.h"
#include "cli/report_files.h"
#include "cli/report_text.h"
#include "cli/session.h"
#include "study/pivot.h"
#include "study/standing.h"

namespace attune {
namespace {

// A study as it stands in its folder, or as its YAML file says now.
struct Reported {
  Study study;
  std::vector<Claim> claims;
  std::vector<Trial> trials;
  StudyFolder folder;
};

Reported read(const Session& session, const std::string& operand) {
  const Command& command = session.command;
  StudyFolder folder(find_study(operand, command.text("out").value_or("results")));
  const std::vector<std::string> frozen = folder.frozen();
  const bool of_file = operand.ends_with(".yaml") || operand.ends_with(".yml");
  ATTUNE_CHECK(of_file || !frozen.empty(), DataError,
               "{} has no study.yaml, without which its trials cannot be told apart; name its YAML "
               "file instead",
               folder.path());
  Study study;
  if (of_file) {
    LoadOptions load;
    load.path = operand;
    load.library = session.configs;
    study = load_study(load, session.kinds);
  } else {
    study = read_frozen(frozen.back(), session.kinds);
  }
  Diagnostics diagnostics;
  std::vector<Claim> claims = read_claims(study.said.claims, study, diagnostics);
  diagnostics.raise();
  std::vector<Trial> trials = plan_places(study);
  return {std::move(study), std::move(claims), std::move(trials), std::move(folder)};
}

void print(const Session& session, const std::string& form, const StudyReport& report) {
  const Output& out = session.console.out;
  out.print(form == "json"  ? report_json(report).dump() + "\n"
            : form == "csv" ? report_csv(report)
            : form == "tex" ? report_tex(report)
            : form == "md"  ? report_markdown(report)
                            : report_text(report, out));
}

void print(const Session& session, const std::string& form,
           const std::vector<Comparison>& comparisons) {
  const Output& out = session.console.out;
  out.print(form == "json"  ? comparisons_json(comparisons).dump() + "\n"
            : form == "csv" ? comparisons_csv(comparisons)
            : form == "tex" ? comparisons_tex(comparisons)
            : form == "md"  ? comparisons_markdown(comparisons)
                            : comparisons_text(comparisons, out.width));
}

ExitCode compare(const Session& session, const std::string& form) {
  const Reported first = read(session, session.command.operands[0]),
                 second = read(session, session.command.operands[1]);
  const Results results(first.study, first.trials, first.folder),
      others(second.study, second.trials, second.folder);
  const std::vector<Comparison> comparisons =
      compare_studies(first.study, results, second.study, others,
                      first.study.reference().kind_options().shown_metrics(), 0.05);
  ATTUNE_CHECK(!comparisons.empty(), DataError,
               "{} and {} have no row of one name, so that nothing can be paired",
               first.folder.path(), second.folder.path());
  print(session, form, comparisons);
  return ExitCode::ok;
}

}  // namespace

ExitCode verb_report(Session& session) {
  const Command& command = session.command;
  const std::string form = command.text("format").value_or(session.console.json ? "json" : "text");
  if (command.operands.size() == 2) return compare(session, form);
  const Reported reported = read(session, command.operands[0]);
  const StudyReport report =
      report_of(reported.study, reported.claims, reported.trials, reported.folder);
  if (const auto pivot = pivot_asked(reported.study, command.text("rows"), command.text("columns"),
                                     command.text("cells"));
      pivot && (command.has("rows") || form == "text")) {
    if (!command.has("rows")) print(session, form, report);
    const Results results(reported.study, reported.trials, reported.folder);
    const PivotTable table = pivot_table(reported.study, results, *pivot);
    session.console.out.print((command.has("rows") ? "" : "\n") +
                              pivot_text(table, form, session.console.out.width));
  } else {
    print(session, form, report);
  }
  try {
    write_report(report);
  } catch (const StorageError& error) {
    session.console.err.print(fmt::format("{}: {}\n", report.folder, error.what()));
  }
  const bool as_known = std::all_of(report.claims.begin(), report.claims.end(),
                                    [](const auto& claim) { return claim.as_known(); });
  return command.has("strict") && !as_known ? ExitCode::differs : ExitCode::ok;
}

}  // namespace attune
