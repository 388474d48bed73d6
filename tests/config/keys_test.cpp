#include <gmock/gmock.h>

#include "tests/config/example.h"

namespace attune::example {
namespace {

using testing::ElementsAre;

struct Keys : testing::Test {
  Keys() { root.fields(fields); }
  const KeyInfo& only(const char* key) {
    const auto found = index().find(key);
    EXPECT_EQ(found.size(), 1u) << key;
    static const KeyInfo none;
    return found.empty() ? none : *found.front();
  }
  const KeyIndex& index() {
    if (!index_) index_ = std::make_unique<KeyIndex>(fields);
    return *index_;
  }

  Root root;
  FieldList fields;
  std::unique_ptr<KeyIndex> index_;
};

TEST_F(Keys, AKeyIsFoundInEveryAlternative) {
  const KeyInfo& k = only("model.d_model");
  EXPECT_EQ(k.type, "int");
  EXPECT_EQ(k.range, "1..4096");
  EXPECT_EQ(k.value, "64");
  EXPECT_EQ(k.role, Role::result);
  EXPECT_EQ(k.doc, "width of the residual stream");
  EXPECT_THAT(k.kinds, ElementsAre("model.kind=vit"));
  EXPECT_THAT(only("model.width").kinds, ElementsAre("model.kind=mlp"));
  EXPECT_THAT(only("train.steps").kinds, ElementsAre());
}

TEST_F(Keys, AKindIsAKeyWithChoices) {
  const KeyInfo& k = only("model.kind");
  EXPECT_THAT(k.choices, ElementsAre("vit", "mlp"));
  EXPECT_EQ(k.summary(), "vit | mlp, must be set");
}

TEST_F(Keys, SummariesSayTypeRangeAndDefault) {
  EXPECT_EQ(only("optim.lr").summary(), "real, 1e-8..1, default 0.001");
  EXPECT_EQ(only("optim.clip_norm").summary(), "real or null, >= 0, default null");
  EXPECT_EQ(only("model.norm").summary(), "pre | post | none, default pre");
  EXPECT_EQ(only("seeds").summary(), "[0, 1], 0-9 or n=10, default [0]");
  EXPECT_EQ(only("train.shuffle").summary(), "bool, default true");
  EXPECT_EQ(only("name").summary(), "text, must be set");
}

TEST_F(Keys, AGroupListsItsKeys) {
  std::vector<std::string> names;
  for (const KeyInfo* k : index().children("train")) names.push_back(k->key);
  EXPECT_THAT(names, ElementsAre("train.steps", "train.eval_every", "train.shuffle", "train.stop",
                                 "train.init_from"));
  EXPECT_EQ(only("train.stop").shape, KeyInfo::Shape::group);
  EXPECT_TRUE(only("train.stop").nullable);
}

TEST_F(Keys, ASlipIsUnderstood) {
  const auto meant = [&](const char* written) {
    const KeyInfo* k = index().did_you_mean(written);
    return k ? k->key : "";
  };
  EXPECT_EQ(meant("modle.d_model"), "model.d_model");
  EXPECT_EQ(meant("model.heads"), "model.n_heads");
  EXPECT_EQ(meant("d_model"), "model.d_model");
  EXPECT_EQ(meant("train.lr"), "optim.lr");
  EXPECT_EQ(meant("optim.learning_rate"), "");
  EXPECT_EQ(meant("epochs"), "");
  EXPECT_EQ(meant("a"), "");
  EXPECT_EQ(meant("model.a"), "");
  EXPECT_EQ(meant("model.attention.dropuot"), "model.attention.dropout");
  EXPECT_EQ(index().unknown("trian"), "unknown key 'trian'; did you mean 'train'?  (group)");
  EXPECT_EQ(index().unknown("epochs"), "unknown key 'epochs'");
}

TEST_F(Keys, TheIndexKeepsDefaultsOfTheTimeItWasMade) {
  index();
  root.vit.d_model = 7;
  EXPECT_EQ(only("model.d_model").value, "64");
}

TEST(Fields, RequiringAFieldThatDoesNotExistIsAMistakeOfTheProgram) {
  FieldList fields;
  EXPECT_THROW(fields.require("name"), std::logic_error);
}

}  // namespace
}  // namespace attune::example
