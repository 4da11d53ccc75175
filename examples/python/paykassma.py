"""The client of the API, and the check of events. It knows nothing of this shop."""

import os
import time

import requests
from standardwebhooks import Webhook, WebhookVerificationError

EVENTS = Webhook(os.environ["EVENTS_SECRET"])


def call(method, path, content=None):
    """Calls the API and gives (status, answer); the status is 0 if no answer came.

    The same request is sent up to three times while it is not known what became of it. That is safe: the ids are ours.
    """
    for attempt in (1, 2, 3):
        try:
            response = requests.request(
                method,
                os.environ["API_URL"] + path,
                json=content,
                headers={"Authorization": f"Bearer {os.environ['MERCHANT_TOKEN']}"},
                timeout=(5, 30),
                allow_redirects=False,
            )
            status, retry_after = response.status_code, response.headers.get("Retry-After", "")
            answer = response.json()
        except requests.JSONDecodeError:
            answer = {}
        except requests.RequestException:
            status, retry_after, answer = 0, "", {"message": "no answer"}
        is_unclear = (status in (0, 429) or status >= 500) and answer.get("code", "try_again") == "try_again"
        wait = int(retry_after) if retry_after.isdecimal() else attempt
        if not is_unclear or attempt == 3 or wait > 10:
            return status, answer
        time.sleep(wait)


def is_genuine(body, headers):
    """Whether these bytes were signed with our key, at most 5 minutes ago. Ask before you parse them."""
    try:
        EVENTS.verify(body, dict(headers), json_parse=False)
        return True
    except (WebhookVerificationError, ValueError):  # ValueError: a header or a body that is not even well-formed
        return False
