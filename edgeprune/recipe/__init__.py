"""Recipes as data: what a recipe file says, how it is found, and how keys are overridden."""

from edgeprune.recipe.budget import LIMITS, Budget, Limit
from edgeprune.recipe.find import find_recipe, list_recipes
from edgeprune.recipe.measuring import Measure
from edgeprune.recipe.pruning import Override, Prune
from edgeprune.recipe.schema import Data, Export, ModelSource, Recipe, Tune
from edgeprune.recipe.training import Retrain, Train

__all__ = [
    "LIMITS",
    "Budget",
    "Data",
    "Export",
    "Limit",
    "Measure",
    "ModelSource",
    "Override",
    "Prune",
    "Recipe",
    "Retrain",
    "Train",
    "Tune",
    "find_recipe",
    "list_recipes",
]
