"""From what is asked for to a run: checked against the scenario, tokenised once, its blocks named. No worker has been asked yet."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from engine.handoff.chain import block_ids
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import PermissionDenied

from router import ports
from router.domain.generation import Admitted, Instead, Request
from router.domain.legs import Job
from router.domain.model import ServedModel
from router.domain.namespace import namespace_of, tenant_digest
from router.domain.policy import Scenario, Scenarios, model_unknown
from router.domain.standby import Standby
from router.domain.tools import Offer, offered
from router.steps.answers import Answers
from router.steps.pool import Need, Pool
from router.steps.run import Run


class Admission:
    """``secret``: returns the key of namespaces that is in force."""

    def __init__(self, scenarios: Callable[[], Scenarios], texts: ports.Texts, pool: Pool, secret: Callable[[], bytes]) -> None:
        self._scenarios = scenarios
        self._pool = pool
        self._texts = texts
        self._secret = secret

    async def __call__(self, request: Request, now_s: float, remaining_s: float) -> Run:
        """Return a run that begins now. Raises InvalidArgument, NotFound, PermissionDenied with a reason that says what is wrong."""
        scenario = self._scenarios().get(request.scenario)
        scenario.check(request)
        run = await self._run(request, scenario, self._model(scenario.model(request.model)), now_s, now_s + remaining_s)
        run.standbys = () if request.forbids_standby else scenario.standbys_of(run.model.name)
        return run

    async def standby(self, first: Run, standby: Standby, instead: Instead) -> Run:
        """Return the run of an equivalent: what it may see is looked up again, the prompt's tokens are counted anew. Raises as above."""
        request = first.request
        scenario = self._scenarios().get(request.scenario)
        scenario.check(request)
        listed = next((each for each in scenario.standbys_of(first.model.name) if each.model == standby.model), None)
        if listed is None:
            raise PermissionDenied("the scenario does not list this standby any more", reason="STANDBY_WITHDRAWN")
        model = self._model(listed.model)
        listed.check(request, first.model, model)
        run = await self._run(request, scenario, model, first.begun_s, first.deadline_s, seed=first.admitted.seed)
        run.standbys, run.instead = (listed,), instead
        return run

    async def _run(
        self, request: Request, scenario: Scenario, model: ServedModel, now_s: float, deadline_s: float, seed: int | None = None
    ) -> Run:
        offer = offered(request, model.name, model.tool_format)
        prompt = await self._texts.tokens(model, request.input if offer is None else offer.input(request.input))
        longest = min(model.max_len_tokens, self._pool.longest(model.digest) or model.max_len_tokens)
        max_output_tokens = scenario.output_tokens(request.max_output_tokens, longest - len(prompt))
        job = self._job(request, scenario, model, prompt, max_output_tokens, self._seed(request) if seed is None else seed, offer)
        choices = job.sampling.choices

        def new_answers() -> Answers:
            has_logprobs = request.sampling.logprobs
            keep_tokens = request.return_token_ids or has_logprobs
            new_text = partial(self._texts.choice, model, request.stop, offer)
            return Answers(new_text, choices, keep_tokens=keep_tokens, name_tokens=has_logprobs)

        return Run(
            request=request,
            scenario=scenario,
            model=model,
            admitted=Admitted(
                generation_id=job.request_id,
                prompt_tokens=len(prompt),
                max_output_tokens=max_output_tokens,
                choices=choices,
                model=model.name,
                release=model.release,
                seed=job.sampling.seed,
            ),
            job=job,
            need=Need(
                model_digest=model.digest,
                block_ids=block_ids(job.namespace, prompt[: len(prompt) - len(prompt) % model.block_tokens], model.block_tokens),
                tokens=len(prompt) + max_output_tokens,
                grade=request.grade,
                rows=choices,
            ),
            begun_s=now_s,
            deadline_s=deadline_s,
            offer=offer,
            new_answers=new_answers,
            answers=new_answers(),
        )

    def _model(self, name: str) -> ServedModel:
        for model in self._texts.models:
            if model.name == name:
                return model
        raise model_unknown()

    @staticmethod
    def _seed(request: Request) -> int:
        return request.sampling.seed if request.is_seed_set else secrets.randbits(64)

    def _job(
        self,
        request: Request,
        scenario: Scenario,
        model: ServedModel,
        prompt: tuple[int, ...],
        max_output_tokens: int,
        seed: int,
        offer: Offer | None,
    ) -> Job:
        secret = self._secret()
        return Job(
            request_id=uuid7(),
            model_digest=model.digest,
            prompt=prompt,
            namespace=namespace_of(secret, request.tenant, scenario.name, request.grade, model.release),
            tenant_digest=tenant_digest(secret, request.tenant),
            grade=request.grade,
            sampling=replace(request.sampling, seed=seed, choices=max(request.sampling.choices, 1)),
            json_schema=request.json_schema,
            calls=None if offer is None else offer.calls,
            max_output_tokens=max_output_tokens,
            ignore_end=request.ignore_end,
            priority=scenario.priority,
        )
