"""All forms of the console."""

from tessera_gql.console.asset_actions import ASSET_ACTIONS
from tessera_gql.console.form_action import FormAction
from tessera_gql.console.proposal_actions import PROPOSAL_ACTIONS
from tessera_gql.console.team_actions import TEAM_ACTIONS

ACTIONS: tuple[FormAction, ...] = (*PROPOSAL_ACTIONS, *ASSET_ACTIONS, *TEAM_ACTIONS)
