#include "cli/command.h"

#include <gmock/gmock.h>

#include <sstream>

#include "cli/help.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    parse_command(arguments);
  } catch (const ConfigError& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

TEST(CommandLine, OperandsOverridesAndOptionsStandInAnyOrder) {
  const Command c = parse_command(
      {"run", "--threads", "2", "a.yaml", "-o", "out", "model.norm=post", "-q", "lr=-1"});
  EXPECT_EQ(c.verb->name, "run");
  EXPECT_THAT(c.operands, ElementsAre("a.yaml"));
  EXPECT_THAT(c.overrides, ElementsAre("model.norm=post", "lr=-1"));
  EXPECT_EQ(c.integer("threads"), 2);
  EXPECT_EQ(c.text("out"), "out");
  EXPECT_TRUE(c.has("quiet"));
  EXPECT_FALSE(c.has("verbose"));
  EXPECT_FALSE(c.integer("seeds"));
}

TEST(CommandLine, AnOverrideMayBeLongAndMayNameAGroupByItsPath) {
  for (const std::string& word :
       {"doc=" + std::string(300, 'x'), "doc=" + std::string(200'000, 'x'),
        std::string("model/attention=tiny")})
    EXPECT_THAT(parse_command({"run", "a.yaml", word}).overrides, ElementsAre(word));
}

TEST(CommandLine, EveryFormOfAnOptionIsTheSame) {
  const std::vector<std::vector<std::string>> forms = {
      {"--out=d"}, {"--out", "d"}, {"-o", "d"}, {"-od"}};
  for (const auto& form : forms) {
    std::vector<std::string> arguments = {"run", "a.yaml"};
    arguments.insert(arguments.end(), form.begin(), form.end());
    EXPECT_EQ(parse_command(arguments).text("out"), "d") << form.front();
  }
}

TEST(CommandLine, TypedOptionsHaveTheirValues) {
  const Command c =
      parse_command({"run", "a.yaml", "--seeds", "0-2", "--max-time", "30m", "--cfg", "job"});
  EXPECT_THAT(*c.seeds("seeds"), ElementsAre(0, 1, 2));
  EXPECT_EQ(c.seconds("max-time"), 1800);
  EXPECT_EQ(c.text("cfg"), "job");
}

// Values with spaces, quotes, brackets and a second = are the config's business.
TEST(CommandLine, OverridesPassThroughAsTheyStand) {
  const std::vector<std::string> overrides = {"optim.betas=[0.9, 0.999]", "name=a=b",
                                              "doc=two\nlines", "x={a: 1}"};
  std::vector<std::string> arguments = {"run", "a.yaml"};
  arguments.insert(arguments.end(), overrides.begin(), overrides.end());
  EXPECT_EQ(parse_command(arguments).overrides, overrides);
}

TEST(CommandLine, AShortenedOptionIsNotGuessed) {
  EXPECT_EQ(refusal({"run", "a.yaml", "--seed", "0-2"}),
            "command line: error: unknown option '--seed'; did you mean '--seeds'?  "
            "(0-9, n=5 or 0,7 instead of the file's seeds)\n1 error, nothing was run.");
}

TEST(CommandLine, AllErrorsComeAtOnce) {
  EXPECT_THAT(refusal({"run", "a.yaml", "--sedes", "0-2", "--threads", "many", "--cfg", "hydra",
                       "--colour", "never"}),
              AllOf(HasSubstr("'--sedes'; did you mean '--seeds'?"),
                    HasSubstr("--threads many is no whole number from 1 to 1024"),
                    HasSubstr("--cfg hydra is none of job, origin, study"),
                    HasSubstr("'--colour'; did you mean '--color'?"),
                    HasSubstr("4 errors, nothing was run.")));
}

TEST(CommandLine, ABareNumberOfSeedsIsRefusedWithTheReason) {
  EXPECT_THAT(refusal({"run", "a.yaml", "--seeds", "5"}),
              HasSubstr("--seeds 5 could mean 5 seeds or the seed 5: write n=5"));
}

TEST(CommandLine, AnUnrelatedOptionGetsNoSuggestion) {
  EXPECT_THAT(refusal({"run", "a.yaml", "--perplexity"}),
              HasSubstr("unknown option '--perplexity'; attune run --help lists the options"));
}

TEST(CommandLine, UnknownVerbsAndForgottenVerbsAreNamed) {
  EXPECT_THAT(refusal({"rnu", "a.yaml"}), HasSubstr("unknown verb 'rnu'; did you mean 'run'?"));
  EXPECT_THAT(refusal({"a.yaml"}), HasSubstr("did you mean 'run a.yaml'?"));
  EXPECT_THAT(refusal({"frobnicate"}), HasSubstr("verbs are run, check"));
  EXPECT_THAT(refusal({"--json", "run"}), HasSubstr("the verb comes first: attune run"));
}

TEST(CommandLine, StrayTokensAreNeverIgnored) {
  EXPECT_THAT(refusal({"run", "a.yaml", "b.yaml"}),
              HasSubstr("'b.yaml' is neither key=value nor an option"));
  EXPECT_THAT(refusal({"status", "a", "b"}), HasSubstr("'b' is one too many"));
  EXPECT_THAT(refusal({"run"}), HasSubstr("run needs STUDY"));
  EXPECT_THAT(refusal({"run", "a.yaml", "-o"}), HasSubstr("'--out'"));
  EXPECT_THAT(refusal({"run", "a.yaml", "--quiet=3"}), HasSubstr("'--quiet"));
  EXPECT_THAT(refusal({"run", "a.yaml", "--threads", "1", "--threads", "2"}),
              HasSubstr("--threads is given twice"));
  EXPECT_THAT(refusal({"run", "a.yaml", "-x"}), HasSubstr("'-x'"));
}

TEST(CommandLine, ImportsOptionsAreNotOurs) {
  EXPECT_THAT(parse_command({"import", "scans", "-o", "x.h5", "--help"}).operands,
              ElementsAre("scans", "-o", "x.h5", "--help"));
}

TEST(Help, FitsAScreenAndEndsInExamples) {
  for (const Verb& verb : verbs()) {
    const std::string text = help_text(verb);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40) << verb.name;
    const auto examples = text.find("\nexamples:\n");
    ASSERT_NE(examples, std::string::npos) << verb.name;
    EXPECT_LT(text.find("exit codes: 0"), examples) << verb.name;
    EXPECT_TRUE(text.ends_with("  attune " + verb.examples.back() + "\n")) << verb.name;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
  const std::string overview = help_text();
  EXPECT_LE(std::count(overview.begin(), overview.end(), '\n'), 24);
}

TEST(Help, EveryExampleIsAValidCommandLine) {
  for (const Verb& verb : verbs())
    for (const std::string& example : verb.examples) {
      std::istringstream words(example);
      EXPECT_NO_THROW(parse_command({std::istream_iterator<std::string>(words), {}})) << example;
    }
}

TEST(Help, NeedsNoOperands) {
  EXPECT_TRUE(parse_command({"run", "--help"}).has("help"));
  EXPECT_TRUE(parse_command({"run", "-h"}).has("help"));
  EXPECT_EQ(parse_command({"--help"}).verb, nullptr);
}

}  // namespace
}  // namespace attune
