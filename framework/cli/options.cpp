#include "cli/options.h"

#include <algorithm>
#include <charconv>

#include "base/quantity.h"

namespace attune {
namespace {

std::string check_threads(std::string_view text) {
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && n >= 1 && n <= 1024 ? "" : "is no whole number from 1 to 1024";
}

std::string check_count(std::string_view text) {
  Index n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && n >= 0 ? "" : "is no whole number from 0";
}

std::string check_folder(std::string_view text) {
  return text.empty() ? "is empty; write . for the current folder" : "";
}

std::string check_seeds(std::string_view text) {
  std::vector<Index> seeds;
  return parse_seeds({{std::string(text)}, false}, seeds);
}

std::string check_duration(std::string_view text) {
  double seconds = 0;
  return parse_duration(text, seconds);
}

}  // namespace

const std::vector<Option>& common_options() {
  static const std::vector<Option> kOptions = {
      {"json", "", "", "machine-readable output on stdout, errors on stderr"},
      {"color",
       "",
       "WHEN",
       "auto, always or never; NO_COLOR is obeyed",
       {"auto", "always", "never"}},
      {"quiet", "q", "", "no progress, no notes"},
      {"verbose", "v", "", "every evaluation and checkpoint"},
      {"help", "h", "", "this page"},
  };
  return kOptions;
}

const std::vector<Verb>& verbs() {
  using enum ExitCode;
  static const std::vector<Verb> kVerbs = {
      {.name = "run",
       .summary = "train what a YAML file describes, or go on with it",
       .operands = "STUDY [key=value ...]",
       .details =
           "Trains every seed of the experiment and prints a table with means and 95 % intervals. "
           "Stopping or killing it is safe at any time: the same command goes on where it was, and "
           "has nothing to do when all is done. STUDY is a YAML file, or a run file (.h5), which "
           "holds its own config.",
       .min_operands = 1,
       .max_operands = 1,
       .overrides = true,
       .options =
           {
               {"out", "o", "DIR", "folder that study folders go into [results]", {}, check_folder},
               {"jobs", "j", "N", "trials at once [cores / threads]", {}, check_threads},
               {"threads", "", "N", "of a trial [one; all cores for one trial]", {}, check_threads},
               {"seeds",
                "",
                "LIST",
                "0-9, n=5 or 0,7 instead of the file's seeds",
                {},
                check_seeds},
               {"max-time",
                "",
                "TIME",
                "checkpoint and stop after 30m, 90s, 1h (exit 85)",
                {},
                check_duration},
               {"fast-dev-run", "", "", "a step and an evaluation: does every code path work?"},
               {"profile", "", "", "time by op of the first trial's steps, and a trace"},
               {"cfg",
                "",
                "WHAT",
                "print job, origin or study; run nothing",
                {"job", "origin", "study"}},
           },
       .examples =
           {
               "run configs/quickstart.yaml",
               "run configs/quickstart.yaml optim.lr=1e-3 --seeds 0-4",
               "run configs/vit_medical/first.yaml -o /tmp/runs --max-time 30m",
               "run configs/quickstart.yaml model.norm=post --cfg origin",
           },
       .exit_codes = {ok, failure, usage, some_failed, changed, damaged, busy, run_again,
                      interrupted, terminated}},
      {.name = "check",
       .summary = "all errors of configs and dataset files; run nothing",
       .operands = "FILE... [key=value ...]",
       .details =
           "Reads YAML files as `run` would, with their groups and defaults, dataset files (.h5) "
           "down to the last offset, and run files whole. Every error comes with file, line and "
           "column.",
       .min_operands = 1,
       .max_operands = -1,
       .overrides = true,
       .examples = {"check configs/quickstart.yaml",
                    "check configs/quickstart.yaml model.n_heads=3", "check data/ct_covid.h5"},
       .exit_codes = {ok, usage}},
      {.name = "list",
       .summary = "what there is: kinds, models, data, ops, probes, metrics, studies",
       .operands = "kinds|models|data|ops|probes|metrics|studies [DIR]",
       .details = "One line each. `list studies` looks into DIR [results].",
       .min_operands = 1,
       .max_operands = 2,
       .examples = {"list models", "list ops --json", "list studies results"},
       .exit_codes = {ok, usage}},
      {.name = "explain",
       .summary = "a config key: type, default, range, meaning",
       .operands = "[KEY]",
       .details =
           "What a key of a YAML file means, which values it takes, and to which kinds it belongs. "
           "The name of a group lists its keys; without KEY all groups are listed.",
       .max_operands = 1,

       .examples = {"explain model.n_heads", "explain optim", "explain train.batch_tokens --json"},
       .exit_codes = {ok, usage}},
      {.name = "show",
       .summary = "a run's or study's config, provenance, metrics, curves",
       .operands = "PATH",
       .details =
           "PATH is a run file (.h5), a study's folder, its name in results/, or its YAML file. "
           "Shows the config with the origin of every value, who made it with which build, the "
           "metrics at the chosen step, and the curves as sparklines.",
       .min_operands = 1,
       .max_operands = 1,
       .examples = {"show results/quickstart",
                    "show results/quickstart/trials/reference-s0-4c1e0aa2.h5"},
       .exit_codes = {ok, usage, damaged}},
      {.name = "verify",
       .summary = "run again what was run, and compare the bytes",
       .operands = "PATH [data.file=FILE] [train.init_from=FILE]",
       .details =
           "Runs a run file, or every finished trial of a study, again from the run file alone. "
           "Where bytes differ, the first step and tensor are named, and whether another build or "
           "machine wrote them.",
       .min_operands = 1,
       .max_operands = 1,
       .overrides = true,
       .options =
           {{"trials", "", "N", "so many of a study, drawn at random [all]", {}, check_count},
            {"draw", "", "SEED", "of that draw [0]", {}, check_count},
            {"threads", "", "N", "[all cores]", {}, check_threads},
            {"out", "o", "DIR", "folder that a study's name is looked for in [results]"}},
       .examples = {"verify results/quickstart --trials 3"},
       .exit_codes = {ok, failure, usage, differs, changed, damaged}},
      {.name = "fsck",
       .summary = "every checksum of a study; repairs what kills leave",
       .operands = "STUDY",
       .details =
           "Reads run files, metadata, frozen configs, journals and checkpoints whole. Torn ends "
           "of journals are cut, remains of kills removed, caches rebuilt; results are never "
           "removed or changed. What stays damaged is named with what to do (exit 6).",
       .min_operands = 1,
       .max_operands = 1,
       .options = {{"out", "o", "DIR", "folder that a study's name is looked for in [results]"}},
       .examples = {"fsck results/quickstart", "fsck quickstart --json"},
       .exit_codes = {ok, failure, usage, damaged}},
      {.name = "status",
       .summary = "one screen of a study's state, reading only",
       .operands = "STUDY",
       .details =
           "STUDY is a folder, a name in results/, or its YAML file. Says which trials are "
           "finished, diverged or "
           "running and how far they are. Never waits for a running process, nor disturbs it.",
       .min_operands = 1,
       .max_operands = 1,
       .options = {{"out", "o", "DIR", "folder that a study's name is looked for in [results]"},
                   {"watch", "", "", "again every second, until all trials are done"}},
       .examples = {"status results/quickstart", "status quickstart --watch"},
       .exit_codes = {ok, usage, damaged}},
      {.name = "report",
       .summary = "tables, intervals and verdicts of a study, or of two",
       .operands = "STUDY [OTHER]",
       .details =
           "STUDY is a folder, a name in results/, or its YAML file, whose claims are judged then. "
           "Prints means with 95 % intervals, differences to the reference, and a verdict for each "
           "claim; keeps report.md, report.json, table.tex and claims.tex in the study's folder. "
           "With OTHER, rows of one name are compared, paired by seed.",
       .min_operands = 1,
       .max_operands = 2,
       .options = {{"out", "o", "DIR", "folder that a study's name is looked for in [results]"},
                   {"format",
                    "",
                    "FORM",
                    "text, md, tex, csv or json [text]",
                    {"text", "md", "tex", "csv", "json"}},
                   {"rows", "", "KEY", "a table with a row for each value of KEY"},
                   {"columns", "", "KEY", "and a column for each value of this one"},
                   {"cells", "", "METRIC", "in its cells [the first of metrics]"},
                   {"strict", "", "", "exit 4 when a verdict is not what known: says"}},
       .examples = {"report results/quickstart", "report ct_components --format tex",
                    "report ct_lr --rows model.norm --columns optim.lr --cells val/loss"},
       .exit_codes = {ok, usage, differs, damaged}},
      {.name = "eval",
       .summary = "a trained model on other data: metrics with intervals over groups",
       .operands = "RUN.h5 DATA.h5",
       .details =
           "Reads the model and its way of reading data from a run file, and predicts every "
           "example "
           "of a dataset file, whatever its /split says. Prints loss, accuracy, balanced accuracy "
           "and AUC, each with a 95 % interval over the data's groups, and which class was taken "
           "for which. Classes and tokens are matched by name; gray values are normalised as in "
           "training.",
       .min_operands = 2,
       .max_operands = 2,
       .options = {{"out",
                    "o",
                    "FILE",
                    "keep predictions and metrics in this HDF5 file",
                    {},
                    check_folder},
                   {"threads", "", "N", "[all cores]", {}, check_threads}},
       .examples = {"eval results/ct/trials/reference-s0-4c1e0aa2.h5 data/other.h5",
                    "eval reference-s0-4c1e0aa2.h5 data/other.h5 -o other_eval.h5"},
       .exit_codes = {ok, failure, usage, damaged}},
      {.name = "op",
       .summary = "one engine op on arrays of a file, with its gradients",
       .operands = "NAME IN.h5 -o OUT.h5 [option=value ...]",
       .details =
           "Reads the op's inputs from IN by name, float32 or float64, and integers; writes its "
           "outputs and, when IN holds grad_OUTPUT, grad_INPUT for every real input. This is how "
           "the engine is checked from Python. `attune op NAME --help` lists the inputs, shapes "
           "and options of an op, `attune list ops` the ops.",
       .min_operands = 2,
       .max_operands = 2,
       .overrides = true,
       .explains_operand = true,
       .options = {{"out", "o", "FILE", "the HDF5 file to write", {}, check_folder},
                   {"threads", "", "N", "[all cores]", {}, check_threads}},
       .examples = {"op gelu in.h5 -o out.h5 approximate=tanh",
                    "op attention in.h5 -o out.h5 n_heads=4 pattern=causal", "op attention --help"},
       .exit_codes = {ok, failure, usage}},
      {.name = "doctor",
       .summary = "what may go wrong here: processor, threads, locks, disk, scheduler",
       .operands = "",
       .details =
           "Looks at the machine and tries locks, renames and syncs in the folder that studies go "
           "into. A problem keeps attune from working here, a note may surprise.",
       .options = {{"out", "o", "DIR", "folder that studies go into [.]", {}, check_folder}},
       .examples = {"doctor", "doctor -o /scratch/results --json"},
       .exit_codes = {ok, failure, usage}},
      {.name = "completion",
       .summary = "shell completion of verbs, options and keys",
       .operands = "bash|zsh",
       .details =
           "Prints a script: source <(attune completion bash) in ~/.bashrc, or zsh in ~/.zshrc.",
       .min_operands = 1,
       .max_operands = 1,
       .examples = {"completion bash"},
       .exit_codes = {ok, usage}},
      {.name = "import",
       .summary = "images, sequences, pairs of them or vectors into a dataset file",
       .operands = "SOURCE -o FILE.h5 [--kind images|tokens|pairs|vectors]",
       .details =
           "Decodes a folder of images (DICOM, NIfTI, PNG and others) by content, or reads a table "
           "of sequences, of pairs of them or of vectors, or a text, and writes one dataset file. "
           "A program of its "
           "own, attune-import, because images need ITK: scripts/attune import builds it when it "
           "is first asked for. attune import --help prints its options.",
       .max_operands = -1,
       .passes_through = true,
       .examples = {"import scans/ -o data/mine.h5 --labels labels.csv",
                    "import reviews.csv -o data/reviews.h5 --kind tokens"},
       .exit_codes = {ok, failure, usage}},
  };
  return kVerbs;
}

const Verb* find_verb(std::string_view name) {
  const auto found = std::find_if(verbs().begin(), verbs().end(),
                                  [name](const Verb& v) { return v.name == name; });
  return found == verbs().end() ? nullptr : &*found;
}

std::string meaning(ExitCode code) {
  switch (code) {
    case ExitCode::ok:
      return "all done";
    case ExitCode::failure:
      return "nothing finished, or storage failed";
    case ExitCode::usage:
      return "bad command line, config or data: nothing started";
    case ExitCode::some_failed:
      return "some trials failed";
    case ExitCode::differs:
      return "a result differs";
    case ExitCode::changed:
      return "config or data is not what the study began with";
    case ExitCode::damaged:
      return "stored files are damaged";
    case ExitCode::busy:
      return "others hold every waiting trial";
    case ExitCode::run_again:
      return "checkpointed, run me again";
    case ExitCode::interrupted:
      return "Ctrl-C after a checkpoint";
    case ExitCode::terminated:
      return "SIGTERM after a checkpoint";
  }
  return "unknown";
}

}  // namespace attune
