"""Google's own library for credentials, with files that the gateway gave: it reads them and fetches a token. FILES
holds the files by case, TOKENS is where tokens are asked for; the library itself always goes to Google's."""

import json
import os

import google.auth
from google.auth.transport.requests import Request
from google.oauth2 import credentials, service_account
from report import report

FILES, TOKENS = json.loads(os.environ["FILES"]), os.environ["TOKENS"]
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def read(info):
    if info.get("type") == "service_account":
        own = service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
        return own, own.service_account_email, own.project_id
    own = credentials.Credentials.from_authorized_user_info(info)
    return own, own.client_id, ""


def case(text):
    def run(seen):
        info = json.loads(text)
        own, owner, project = read(info)
        google.auth.load_credentials_from_dict(info, scopes=SCOPES)
        own._token_uri = TOKENS
        own.refresh(Request())
        seen.update(text=own.token, names=[owner, project])

    return run


report({name: case(text) for name, text in FILES.items()}, lambda error: {})
